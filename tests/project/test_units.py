"""The systemd unit and the compose file of docs/cluster.md: well-formed, and their commands are Placet's."""

import re
import shlex
import shutil
import subprocess
import sys
from configparser import ConfigParser
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup

from placet.cli.commands import app
from placet.net.address import parse_address
from tests.project.sources import ROOT

PAGE = (ROOT / "docs/cluster.md").read_text(encoding="utf-8")


def fenced(name: str) -> str:
    """Return the file of a name on the page."""
    match = re.search(rf"^```\w+ {re.escape(name)}\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
    assert match
    return match[1]


def node_options(command: str) -> dict[str, object]:
    """Return what `placet node …` is started with, as the command itself understands it."""
    program, verb, *words = shlex.split(command)
    assert (Path(program).name, verb) == ("placet", "node")
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    with group.commands["node"].make_context("node", words) as context:
        return dict(context.params)


def unit() -> ConfigParser:
    parser = ConfigParser(interpolation=None)
    parser.read_string(fenced("placet-node.service"))
    return parser


def test_the_unit_starts_a_node_and_stops_it_as_a_node_stops() -> None:
    service = unit()["Service"]
    options = node_options(service["ExecStart"])
    assert options["name"] == "%H"
    for address in (options["listen"], options["join"]):
        parse_address(str(address))
    assert (service["KillMode"], service["Restart"]) == ("mixed", "on-failure")
    grace_s = options["grace"]
    assert isinstance(grace_s, float)
    assert float(service["TimeoutStopSec"]) > grace_s + 10.0  # what has not ended by then its node kills


def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is missing")
    program = unit()["Service"]["ExecStart"].split()[0]
    file = tmp_path / "placet-node.service"
    file.write_text(fenced(file.name).replace(program, sys.executable), encoding="utf-8")
    told = subprocess.run([analyze, "verify", str(file)], capture_output=True, text=True, check=False)
    assert (told.returncode, told.stdout + told.stderr) == (0, "")


SERVICE = re.compile(
    r"""^  (?P<name>\w+):
    image: placet
    command: (?P<command>.+)
    networks: {placet: {ipv4_address: (?P<address>[\d.]+)}}
    volumes: \[(?P<volumes>.+)\]
    stop_grace_period: (?P<stop>\d+)s
""",
    flags=re.MULTILINE,
)


def test_the_containers_start_nodes_that_find_each_other_and_keep_what_they_have() -> None:
    text = fenced("compose.yaml")
    services = list(SERVICE.finditer(text))
    assert [one["name"] for one in services] == ["a", "b"]
    subnet = re.search(r"subnet: (\S+?)}", text)
    volumes = re.search(r"^volumes: {(.*)}$", text, flags=re.MULTILINE)
    assert subnet
    assert volumes
    listening: list[str] = []
    for service in services:
        options = node_options(service["command"])
        assert options["name"] == service["name"]
        assert parse_address(str(options["listen"])).host == service["address"]
        assert ip_address(service["address"]) in ip_network(subnet[1])
        assert str(options["join"]) in ("", *listening)
        listening.append(str(options["listen"]))
        mounted = [one.partition(":") for one in str(service["volumes"]).split(", ")]
        assert {str(options["state"]), str(Path(str(options["key_file"])).parent)} == {path for _, _, path in mounted}
        assert {f"{name}: {{}}" for name, _, _ in mounted} <= set(volumes[1].split(", "))
        assert float(service["stop"]) > float(str(options["grace"])) + 10.0
