"""What docs/nodes.md shows works as it stands: its workflow, its command, its client, its output."""

import re
import shlex
from pathlib import Path

from tests.endtoend.processes import finished, started
from tests.project.sources import ROOT

FENCE = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)


def test_the_ten_lines_of_the_page_work(tmp_path: Path) -> None:
    blocks = FENCE.findall((ROOT / "docs/nodes.md").read_text(encoding="utf-8"))[:4]
    (_, workflows, flow), (_, _, command), (_, program, client), (_, _, output) = blocks
    (tmp_path / workflows.strip()).write_text(flow, encoding="utf-8")
    words = shlex.split(command)
    assert words[0] == "placet"
    words[words.index("127.0.0.1:1900")] = "127.0.0.1:0"  # that port may be taken where this runs
    with started(["-m", *words], cwd=tmp_path) as node:
        assert node.stdout is not None
        line = node.stdout.readline()
        at = re.search(r"listens at (\S+),", line)
        assert at, line
        (tmp_path / program.strip()).write_text(client.replace("127.0.0.1:1900", at[1]), encoding="utf-8")
        code, out, err = finished([program.strip()], cwd=tmp_path)
        assert (code, out) == (0, output), err
