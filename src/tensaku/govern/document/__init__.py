"""The model document (モデル記述書): written from what happened, in Japanese and English, as HTML and DOCX.

`candidate_card` is the page that is sealed with a candidate; `document_files` is the whole document of a release as it
stands, with what people added (`add_text`) and the pages that its figures link to.
"""

from tensaku.govern.document.files import FORMS, document_files, write_document
from tensaku.govern.document.known import Sealed
from tensaku.govern.document.markdown import as_markdown
from tensaku.govern.document.paper import candidate_paper
from tensaku.govern.document.texts import add_text, texts_of
from tensaku.govern.document.words import PARTS

__all__ = ["FORMS", "PARTS", "Sealed", "add_text", "candidate_card", "document_files", "texts_of", "write_document"]


def candidate_card(sealed: Sealed) -> str:
    """The page of a candidate, Japanese and then English."""
    return "\n---\n\n".join(as_markdown(candidate_paper(sealed, language)) for language in ("ja", "en"))
