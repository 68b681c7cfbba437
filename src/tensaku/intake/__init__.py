"""Reports of outside managers on their way to drafts: read, sorted into sections, filed, or left in the inbox.

`Road.bring` takes files, folders and zips; `Road.file` files what a person has decided. What each manager calls its
sections is learnt in the ledger, and can be seen and corrected there.
"""

from tensaku.intake.road import Arrival, Road
from tensaku.intake.section_words import NONE, Reports, fold_heading
from tensaku.intake.sorting import WHY, told

__all__ = ["NONE", "WHY", "Arrival", "Reports", "Road", "fold_heading", "told"]
