"""The desk: the page where a writer asks for a revision, sees what changed, edits and saves.

mount         add it to a FastAPI app
AccessRules   how people sign in there; OidcRules: through the house's own provider
"""

from tensaku.desk.access import AccessRules, OidcRules
from tensaku.desk.mount import mount

__all__ = ["AccessRules", "OidcRules", "mount"]
