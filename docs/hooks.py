"""Links from the book to files of the repository: relative ones, so that they work where the Markdown is read.

A file that does not exist fails the build. Where the repository can be browsed is known when the book is published
(`REPO_URL`); elsewhere the link becomes its text and the path.
"""

import os
import re
from pathlib import Path

from mkdocs.exceptions import PluginError

ROOT = Path(__file__).resolve().parent.parent
# rustdoc reads more than the language there, such as `no_run`.
RUST = re.compile(r"^( *)```rust,\S+", re.MULTILINE)
LINK = re.compile(r"\[([^\]]*)\]\(\.\./\.\./([^)#]+)(#[^)]*)?\)")


def on_page_markdown(markdown, page, **_):
    def link(match):
        text, path, anchor = match.group(1), match.group(2), match.group(3) or ""
        if not (ROOT / path).exists():
            raise PluginError(f"{page.file.src_uri}: the repository has no `{path}`: mend the link")
        address = os.environ.get("REPO_URL")
        if address:
            return f"[{text}]({address}/{path}{anchor})"
        return text if text.strip("`") == path else f"{text} (`{path}`)"

    replaced = LINK.sub(link, markdown)
    return RUST.sub(r"\1```rust", replaced)
