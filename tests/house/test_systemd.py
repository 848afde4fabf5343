"""The units are the privacy argument, so they are scored, and installed in a tree.

That they run is shown under a real systemd: ``make units`` (``tests/units``).
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import systemd_units
from limits import PROGRAM_S
from places import ROOT
from systemd_units import CAMERA as UNITS
from systemd_units import SYSTEM, exposure, sysusers, verified

from doorsill.cli.main import parser_for
from doorsill.config import INSTALLED, read_config
from doorsill.documents import pem
from doorsill.services.vault_loop import ANSWERS, HANGS

SERVICES = ("policy", "vision", "uplink", "vault")
EVERY = sorted(
    each.stem.removeprefix("doorsill-") for each in UNITS.glob("doorsill-*.service")
)
LASTING = ("vision", "uplink", "vault")  # the others do one thing and end
BOOT_S = 600  # after a boot, until a renewal that was cut is taken up
PROGRAM = "opt/doorsill/bin/doorsill"
FOREIGN = ("systemctl", "grep")  # programs of Debian's that units start
KINDS = (".service", ".path", ".timer", ".target")

pytestmark = pytest.mark.skipif(
    not Path("/usr/bin/systemd-analyze").exists(), reason="needs systemd-analyze"
)


def settings(service: str) -> dict[str, list[str]]:
    """What a unit says: each key with its values in their order."""
    return systemd_units.settings(UNITS / f"doorsill-{service}.service")


def words(service: str, key: str) -> list[str]:
    """All values of ``key`` as words, whichever line they stand on."""
    return systemd_units.words(UNITS / f"doorsill-{service}.service", key)


def installed(root: Path) -> Path:
    """A root folder with the units of this machine's systemd, then ours on top."""
    shutil.copytree(SYSTEM, root / "usr/lib/systemd/system", symlinks=True)
    (root / "etc").mkdir()
    foreign = (
        root / "usr/sbin/wpa_supplicant",
        *(root / "usr/bin" / x for x in FOREIGN),
    )
    for program in (root / PROGRAM, *foreign):
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
    script = ["bash", str(ROOT / "scripts/install-units"), str(root)]
    subprocess.run(script, check=True, capture_output=True, timeout=PROGRAM_S)
    return root


def analysed(*words: str) -> str:
    """What ``systemd-analyze`` makes of a time; it must know it."""
    done = subprocess.run(
        ["systemd-analyze", *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=PROGRAM_S,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


EXPOSED = {
    "vision": 1.5,
    "uplink": 1.5,
    "policy": 1.5,
    "vault": 1.5,
    "renew": 1.9,  # asks the fleet, as root of nothing
    "renewed": 1.9,  # starts two others again
    "pcscd": 1.9,  # ends another one
    "first-boot": 2.0,  # asks the fleet and systemd, as root of nothing
    "wifi": 2.1,  # speaks with a radio
}


@pytest.mark.parametrize("service", EVERY)
def test_a_unit_is_shut(service: str) -> None:
    assert exposure(UNITS / f"doorsill-{service}.service") <= EXPOSED[service]


def test_negative_control_an_open_unit_scores_badly(tmp_path: Path) -> None:
    shut = (UNITS / "doorsill-vision.service").read_text()
    open_unit = tmp_path / "doorsill-vision.service"
    head = shut.split("# It cannot speak.")[0]
    open_unit.write_text(head + "\n[Install]\nWantedBy=doorsill.target\n")
    assert exposure(open_unit) > 5


@pytest.mark.parametrize(
    "line",
    [
        "PrivateNetwork=yes",
        "ProtectSystem=strict",
        "LimitCORE=0",
        "MemorySwapMax=0",
        "Environment=GLIBC_TUNABLES=glibc.malloc.tcache_count=0",
        "NoNewPrivileges=yes",
        "RestrictAddressFamilies=AF_UNIX",
    ],
)
def test_vision_has_no_network_no_writable_disk_no_dump(line: str) -> None:
    text = (UNITS / "doorsill-vision.service").read_text()
    assert line in text.splitlines()
    assert "ReadWritePaths" not in text
    assert "StateDirectory" not in text


def test_uplink_has_no_camera() -> None:
    lines = (UNITS / "doorsill-uplink.service").read_text().splitlines()
    assert "PrivateDevices=yes" in lines
    assert not any(line.startswith("DeviceAllow") for line in lines)
    assert not any("SupplementaryGroups" in line for line in lines)


@pytest.mark.parametrize(
    "line",
    [
        "PrivateNetwork=yes",
        "PrivateDevices=yes",
        "LimitCORE=0",
        "MemorySwapMax=0",
        "Environment=GLIBC_TUNABLES=glibc.malloc.tcache_count=0",
        "StateDirectory=doorsill/vault",
    ],
)
def test_the_vault_has_no_network_no_camera_no_dump(line: str) -> None:
    lines = (UNITS / "doorsill-vault.service").read_text().splitlines()
    assert line in lines
    assert not any(each.startswith("DeviceAllow") for each in lines)


def test_vision_is_told_which_user_asks_for_faces() -> None:
    """In a user namespace every other user is nobody, and nobody is not the vault."""
    lines = (UNITS / "doorsill-vision.service").read_text().splitlines()
    assert not any(line.startswith("PrivateUsers") for line in lines)


def test_systemd_makes_every_user_and_group_that_the_units_name(tmp_path: Path) -> None:
    done = sysusers(UNITS / "doorsill.sysusers", tmp_path)
    assert done.returncode == 0, done.stderr
    made = set(re.findall(r"Creating (?:user|group) '([\w-]+)'", done.stderr))
    made.add("video")  # every Debian has it, and making it again is a complaint
    for service in SERVICES:
        named = words(service, "User") + words(service, "Group")
        named += words(service, "SupplementaryGroups")
        assert named and set(named) <= made, service
    rules = re.findall(r'GROUP="([\w-]+)"', (UNITS / "70-doorsill.rules").read_text())
    assert set(rules) <= made


def test_negative_control_a_colon_in_a_name_is_seen(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    text = (UNITS / "doorsill.sysusers").read_text()
    wrong.write_text(text.replace("doorsill sees", "doorsill: sees"))
    done = sysusers(wrong, tmp_path)
    assert done.returncode != 0
    assert "is not a valid GECOS field" in done.stderr


def test_systemd_finds_nothing_wrong_with_the_installed_units(tmp_path: Path) -> None:
    root = installed(tmp_path)
    names = [each.name for each in UNITS.iterdir() if each.suffix in KINDS]
    assert verified(root, *names) == ""


def test_negative_control_no_manual_no_program(tmp_path: Path) -> None:
    root = installed(tmp_path)
    (root / "usr/share/man/man1/doorsill.1.gz").unlink()
    (root / PROGRAM).unlink()
    complaints = verified(root, "doorsill-vision.service")
    assert "man doorsill(1)" in complaints and "is not executable" in complaints


def test_the_manual_page_has_every_command_and_exit_code(tmp_path: Path) -> None:
    from deb.pages import make
    from doorsill.cli.main import COMMANDS
    from doorsill.commandline.ending import EXIT_CODES

    page = make("doorsill", tmp_path)["manual"].read_text("utf-8").replace(r"\-", "-")
    bold = set(re.findall(r"(?m)^\.B (\w+)$", page))
    assert set(COMMANDS) <= set(re.findall(r'(?m)^\.SS "doorsill ([\w-]+)', page))
    assert {str(code) for _, code in EXIT_CODES} | {"0", "1", "130"} <= bold


def test_one_name_for_the_key_in_units_program_and_example() -> None:
    """systemd copies what the example names, under the name the program looks for."""
    config, _ = read_config(UNITS / "doorsill.toml")
    assert config is not None
    key = Path("/etc/doorsill") / config.broker.key.name
    for service in ("uplink", "vault"):
        assert words(service, "LoadCredential") == [f"{pem.KEY_NAME}:{key}"]
    for service in ("policy", "vision"):
        assert not words(service, "LoadCredential")


@pytest.mark.parametrize(
    ("text", "starts"),
    [
        pytest.param("[consent]\n", True, id="a section"),
        pytest.param("  [ consent ]  # cards\n", True, id="with spaces"),
        pytest.param('["consent"]\n', True, id="in quotes"),
        pytest.param("\ufeff[consent]\n", True, id="after a byte order mark"),
        pytest.param('consent.ca = "a"\n[device]\n', True, id="without a section"),
        pytest.param("# [consent]\n", False, id="not switched on, as in the example"),
        pytest.param("  # [consent]\n", False, id="a comment further in"),
        pytest.param('[policy]\nfile = "consent.json"\n', False, id="another's value"),
        pytest.param("", False, id="an empty file"),
    ],
)
def test_the_vault_starts_where_the_configuration_has_consent(
    tmp_path: Path, text: str, starts: bool
) -> None:
    """As systemd starts it; where a word too many matches, the vault says why."""
    (line,) = settings("vault")["ExecCondition"]
    *command, file = shlex.split(line)
    assert file == str(INSTALLED)
    (tmp_path / "doorsill.toml").write_text(text, "utf-8")
    done = subprocess.run(
        [*command, tmp_path / "doorsill.toml"],
        env={"PATH": "/usr/bin"},
        check=False,
        timeout=PROGRAM_S,
    )
    assert done.returncode == (0 if starts else 1)


@pytest.mark.parametrize("service", LASTING)
def test_what_a_person_must_mend_is_not_tried_for_ever(service: str) -> None:
    never = words(service, "RestartPreventExitStatus")
    assert words(service, "Restart") == ["always"]
    assert {"2", "3"} <= set(never) and not {"1", "4", "5"} & set(never)
    assert words(service, "StartLimitBurst") and words(service, "StartLimitIntervalSec")


@pytest.mark.parametrize("service", LASTING)
def test_a_process_that_hangs_is_killed_without_a_dump(service: str) -> None:
    assert words(service, "Type") == ["notify"]
    assert words(service, "WatchdogSec")
    assert words(service, "WatchdogSignal") == ["SIGKILL"]
    assert "/run/systemd/notify" in words(service, "BindReadOnlyPaths")


@pytest.mark.parametrize("service", EVERY)
@pytest.mark.parametrize(
    ("key", "wanted"),
    [
        pytest.param("PrivateIPC", "yes", id="no memory or queue outlives it"),
        pytest.param("TemporaryFileSystem", "/tmp:ro", id="no folder of /tmp on disk"),  # noqa: S108
        pytest.param("TemporaryFileSystem", "/var:ro", id="nor of /var"),
        pytest.param("TemporaryFileSystem", "/run:ro", id="no daemon but those named"),
        pytest.param("SystemCallFilter", "setxattr", id="no metadata on the disk"),
        pytest.param("SystemCallFilter", "~@chown", id="no owners changed"),
        pytest.param("SystemCallFilter", "@ipc", id="no System V IPC"),
        pytest.param("SystemCallFilter", "@keyring", id="no keyring of the kernel"),
        pytest.param("MountFlags", "private", id="no disk that is mounted later"),
        pytest.param("LogRateLimitIntervalSec", "60", id="the journal is no channel"),
    ],
)
def test_a_unit_leaves_nothing_behind(service: str, key: str, wanted: str) -> None:
    assert wanted in words(service, key)
    assert not words(service, "PrivateTmp")  # a folder on the disk, and it would win


@pytest.mark.parametrize("service", ["vision", "uplink"])
def test_vision_cannot_keep_the_uplink_from_the_processor(service: str) -> None:
    """Any value makes systemd switch the controller on, for all services beside it."""
    assert words(service, "CPUWeight") == ["100"]


@pytest.mark.parametrize("service", LASTING)
def test_a_process_may_lock_itself_in(service: str) -> None:
    """systemd 252 has these calls in no group, and no group for them."""
    calls = {"seccomp", "landlock_create_ruleset", "landlock_restrict_self"}
    assert calls <= set(words(service, "SystemCallFilter"))


@pytest.mark.parametrize("service", EVERY)
def test_of_run_a_process_sees_what_it_needs_and_no_more(service: str) -> None:
    """Not the system bus, not the journal's socket; resolvers are uplink's alone.

    The vault's certificates say whether the clock is set and a journal is kept.
    """
    wanted = {
        "policy": set(),
        "vision": {"systemd/notify"},
        "vault": {
            "systemd/notify", "doorsill", "pcscd", "systemd/timesync", "log/journal",
        },
        "uplink": {
            "systemd/notify", "doorsill",
            "systemd/resolve", "systemd/timesync", "NetworkManager", "resolvconf",
            "dhcpcd",
        },
        "renew": {"systemd/resolve", "NetworkManager", "resolvconf", "dhcpcd"},
        "renewed": {"systemd/private", "systemd/system"},
        "pcscd": {"systemd/private", "systemd/system", "doorsill/vault/pcscd"},
        "first-boot": {"systemd", "NetworkManager", "resolvconf", "dhcpcd"},
        "wifi": {"doorsill-wifi"},
    }  # fmt: skip
    bound = [each.lstrip("-") for each in words(service, "BindReadOnlyPaths")]
    seen = {each.removeprefix("/run/") for each in bound if each.startswith("/run/")}
    assert seen == wanted[service]
    arrived = ["/var/lib/doorsill/arrived"]  # the uplink writes, the policy reads it
    network = ["/run/systemd/network", "/run/systemd/timesyncd.conf.d"]
    written = {"uplink": arrived, "first-boot": network}
    assert words(service, "BindPaths") == written.get(service, [])
    read = {each for each in bound if each.endswith("/arrived")}
    assert read == (set(arrived) if service == "policy" else set())


def test_a_policy_that_comes_by_air_starts_the_policy_process() -> None:
    """However often: a limit on its starts would end the watch for good."""
    lines = (UNITS / "doorsill-policy.path").read_text().splitlines()
    config, _ = read_config(UNITS / "doorsill.toml")
    assert config is not None
    assert f"PathChanged={config.arrived}" in lines
    assert "Unit=doorsill-policy.service" in lines
    assert words("policy", "StartLimitIntervalSec") == ["0"]
    target = (UNITS / "doorsill.target").read_text()
    assert "doorsill-policy.path" in target
    made = (UNITS / "doorsill.tmpfiles").read_text()
    row = next(each.split() for each in made.splitlines() if "arrived" in each)
    assert row[:5] == [
        "d",
        "/var/lib/doorsill/arrived",
        "0750",
        "doorsill-uplink",
        "doorsill",
    ]
    assert words("uplink", "UMask") == ["0027"]
    assert words("uplink", "StateDirectoryMode") == ["0700"]  # of its outbox


def test_the_folder_of_the_sockets_outlives_vision_as_others_are_bound_to_it() -> None:
    made = (UNITS / "doorsill.tmpfiles").read_text().splitlines()[-1].split()
    assert made[:5] == ["d", "/run/doorsill", "0750", "doorsill-vision", "doorsill"]
    assert words("vision", "RuntimeDirectoryPreserve") == ["yes"]
    assert words("vision", "RuntimeDirectoryMode") == ["0750"]


def test_uplink_has_no_port_of_its_own() -> None:
    """paho binds to port 0, which this forbids: the connector does not; see DESIGN."""
    assert words("uplink", "SocketBindDeny") == ["any"]


def test_a_renewal_is_looked_for_each_night_and_reaches_those_with_the_key() -> None:
    timer = (UNITS / "doorsill-renew.timer").read_text().splitlines()
    said = dict(each.split("=", 1) for each in timer if re.match(r"[A-Z]\w+=", each))
    assert said["Persistent"] == "yes"
    assert "03:00:00" in analysed("calendar", said["OnCalendar"])
    # systemd adds the delay to each of them, and so after a boot as well.
    after = [analysed("timespan", said[x]) for x in ("OnBootSec", "RandomizedDelaySec")]
    most = sum(int(re.findall(r"(?:μs|us): (\d+)", each)[0]) for each in after)
    assert most <= BOOT_S * 1_000_000
    path = (UNITS / "doorsill-renewed.path").read_text().splitlines()
    assert f"PathChanged=/etc/doorsill/{pem.CERTIFICATE_NAME}" in path
    holders = {f"doorsill-{each}.service" for each in SERVICES
               if words(each, "LoadCredential")}  # fmt: skip
    again = words("renewed", "ExecStart")
    assert holders == {each for each in again if each.endswith(".service")} != set()
    target = (UNITS / "doorsill.target").read_text()
    assert "doorsill-renew.timer" in target and "doorsill-renewed.path" in target


def test_a_pcscd_that_hangs_is_ended_when_the_vault_asks_for_it() -> None:
    """And not when the vault's word comes or goes, or says that pcscd answers again."""
    config, _ = read_config(UNITS / "doorsill.toml")
    assert config is not None
    path = (UNITS / "doorsill-pcscd.path").read_text().splitlines()
    assert f"PathModified={config.pcscd_note}" in path
    assert "Unit=doorsill-pcscd.service" in path
    condition = words("pcscd", "ExecCondition")
    assert condition[-2:] == [f"^{HANGS}", str(config.pcscd_note)]
    assert not ANSWERS.startswith(HANGS)
    kill = words("pcscd", "ExecStart")
    assert kill[1:] == ["kill", "--signal=SIGKILL", "pcscd.service"]
    assert words("pcscd", "StartLimitIntervalSec") == ["0"]
    assert words("pcscd", "Group") == words("vault", "Group")  # the word's readers
    assert "doorsill-pcscd.path" in (UNITS / "doorsill.target").read_text()


def test_the_renewal_s_unit_runs_a_command_that_there_is() -> None:
    program, *rest = words("renew", "ExecStart")
    assert program == f"/{PROGRAM}"
    chosen = parser_for(rest).parse_args(rest)
    assert chosen.renew and chosen.to == Path("/etc/doorsill")
    assert words("renew", "ReadWritePaths") == ["/etc/doorsill"]
    assert words("renew", "CapabilityBoundingSet") == []
