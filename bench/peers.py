"""Other programs that ours are measured beside: found, or installed, or missing with a reason that the table tells.

Debian's come by apt-get, those in Python into an environment of their own under target/peers. Nothing is installed when a
section that needs it doesn't run.
"""

import os
import shutil
import subprocess
import sys

import measure
import servers

ENVIRONMENT = servers.TARGET / "peers"
PYTHON = ENVIRONMENT / "bin/python"
PROBE_SECONDS = 900
ASKED = {}


class Missing(Exception):
    """Why there is no such program here."""


def debian(package, program):
    """The path of a program, from Debian's package when it isn't there yet."""
    found = shutil.which(program)
    if found:
        return found
    if not shutil.which("apt-get"):
        raise Missing(f"it isn't installed, and there is no apt-get; install {program} by hand")
    as_root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    measure.tell(f"  installing {package}")
    quietly = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-y", "-qq", "--no-install-recommends"]
    install = [*as_root, *quietly, package]
    for command in [[*as_root, "apt-get", "update", "-qq"], install]:
        _succeed(command, f"apt-get can't install {package}")
    return shutil.which(program)


def python(*packages):
    """A Python that has these packages."""
    if not PYTHON.exists():
        otherwise = "no environment for Python can be made (apt-get install python3-venv)"
        _succeed([sys.executable, "-m", "venv", ENVIRONMENT], otherwise)
    if not all(_version(package) for package in packages):
        measure.tell(f"  installing {', '.join(packages)}")
        install = [PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages]
        _succeed(install, f"pip can't install {' and '.join(packages)}")
    return PYTHON


def _succeed(command, otherwise):
    try:
        with measure.PREPARING:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise Missing(f"{otherwise}: {error}") from error
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise Missing(f"{otherwise}: {said[-1] if said else f'exit code {done.returncode}'}")


def working(stages, notes, reason=str):
    """Those of the stages that run to their end and say what fits; a note by name for each other one.

    Of each stage its name, what makes it, which fails where the peer is missing, and whether what it says on stdout fits.
    `reason` may find a better one than the peer's own last words.
    """
    found = []
    for name, make, fits in stages:
        measure.tell(f"  trying {name}")
        try:
            stage = make()
            said, *_ = measure.run(stage)
            why = None if fits(said) else reason(f"it ended well, but came to {said or 'nothing'}")
        except Missing as missing:
            why = str(missing)
        except measure.Failed as failed:
            why = reason(failed.reason)
        if why is None:
            found.append(stage)
        else:
            notes.append(f"skipped: {name}: {why}")
    measure.tell("")
    return found


def bounded(command):
    """A shell command that is ended after a while, since some peers hang."""
    return ["timeout", "--kill-after=5", str(PROBE_SECONDS), "sh", "-c", command]


def versions():
    """Of what is there, by name."""
    found = {
        "gzip": ["gzip", "--version"], "pigz": ["pigz", "--version"],
        # freebcp itself doesn't tell.
        "freebcp": ["tsql", "-C"], "pgloader": ["pgloader", "--version"],
    }
    known = {name: first_number(command) for name, command in found.items()}
    if PYTHON.exists():
        known |= {package: _version(package) for package in ["mssql-python", "pyarrow", "connectorx"]}
    return {name: version for name, version in known.items() if version}


def _asked(command):
    """What it says of its version. Once only, since pages are written after each section and Erlang takes seconds to start."""
    if command not in ASKED:
        said = subprocess.run(command, capture_output=True, text=True, check=False)
        if said.returncode != 0:
            # It may come to be installed.
            return said
        ASKED[command] = said
    return ASKED[command]


def _version(package):
    """Of a package in the environment; empty where it isn't there."""
    ask = f"import importlib.metadata as known; print(known.version({package!r}))"
    return _asked((PYTHON, "-c", ask)).stdout.strip() if PYTHON.exists() else ""


def first_number(command):
    """The version in what a program says of itself; empty where it isn't there."""
    if not shutil.which(command[0]):
        return ""
    said = _asked(tuple(command))
    words = (said.stdout + said.stderr).replace('"', " ").split()
    return next((word.removeprefix("v") for word in words if word.removeprefix("v")[:1].isdigit()), "")
