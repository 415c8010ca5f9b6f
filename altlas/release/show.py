"""Everything that `altlas diff` needs, in one import that the command makes late."""

from altlas.release.document import as_document
from altlas.release.markdown import as_markdown
from altlas.release.stack_change import stack_change
from altlas.release.text import as_text

__all__ = ["as_document", "as_markdown", "as_text", "stack_change"]
