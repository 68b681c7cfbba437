"""Sealed results and the runs that make them.

`Store.run(stage, section, **inputs)` gives the sealed result if there is one; else it works in a scratch folder under a
lock, writes the manifest last and renames the folder into place. A killed run leaves its scratch folder, and the next
run of the same work starts in it.

    root/artifacts/<stage>-<12 hex digits>/   sealed: files that are read-only, and manifest.json
    root/scratch/<stage>-<12 hex digits>/     work in progress, or what a killed run left
    root/locks/                               who is at work on what; a lock vanishes with its process
"""

from tensaku.store.artifact import Artifact, SourceFile
from tensaku.store.bench import Bench, Stage, stage
from tensaku.store.differences import Difference
from tensaku.store.frozen import frozen_bytes, frozen_file
from tensaku.store.journal import Journal
from tensaku.store.keys import Input
from tensaku.store.lock import holding
from tensaku.store.progress import PlainReporter, Progress, Reporter, RichReporter, SilentReporter, reporter_for
from tensaku.store.workspace import Store

__all__ = [
    "Artifact",
    "Bench",
    "Difference",
    "Input",
    "Journal",
    "PlainReporter",
    "Progress",
    "Reporter",
    "RichReporter",
    "SilentReporter",
    "SourceFile",
    "Stage",
    "Store",
    "frozen_bytes",
    "frozen_file",
    "holding",
    "reporter_for",
    "stage",
]
