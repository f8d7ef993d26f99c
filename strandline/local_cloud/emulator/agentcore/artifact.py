"""The code of a runtime: fetched from the emulated S3, unpacked once for each content, run by the right interpreter."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

from .shapes import Invalid

_STAMP = ".complete"
_EXECUTABLE_BITS = 0o777
_FETCH_SECONDS = 60.0
_INSTRUMENT = "opentelemetry-instrument"


def fetch(url: str, account: str, location: dict[str, Any]) -> bytes:
    """The bytes of an artefact, read as the account's root: whether the role may read it was asked before.

    Raises:
        Invalid: There is no such object.
    """
    bucket, key, version = location["bucket"], location["prefix"], location.get("versionId")
    query = f"?versionId={urllib.parse.quote(version)}" if version else ""
    request = urllib.request.Request(  # noqa: S310 - the emulator's own address
        f"{url}/{bucket}/{urllib.parse.quote(key)}{query}",
        headers={
            # The emulator takes the key of an account's root without looking at the signature.
            "Authorization": f"AWS4-HMAC-SHA256 Credential={account}/20260101/us-east-1/s3/aws4_request, "
            "SignedHeaders=host, Signature=0",
        },
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=_FETCH_SECONDS) as answer:
            content: bytes = answer.read()
            return content
    except urllib.error.HTTPError as fault:
        fault.close()
        raise Invalid(
            f"The code artifact s3://{bucket}/{key} does not exist or cannot be read ({fault.code})"
        ) from None


def unpack(content: bytes, folder: Path) -> Path:
    """The folder with the code, made at the first call for this content.

    Raises:
        Invalid: The content is no zip, or has a member outside of its root.
    """
    target = folder / hashlib.sha256(content).hexdigest()[:24]
    folder.mkdir(parents=True, exist_ok=True)
    with target.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (target / _STAMP).exists():
            shutil.rmtree(target, ignore_errors=True)
            _extract(content, target)
            (target / _STAMP).touch()
    return target


def _extract(content: bytes, target: Path) -> None:
    try:
        archive = zipfile.ZipFile(BytesIO(content))
    except zipfile.BadZipFile:
        raise Invalid("The code artifact is not a zip file") from None
    with archive:
        for member in archive.infolist():
            if not (target / member.filename).resolve().is_relative_to(target.resolve()):
                raise Invalid(f"The code artifact has a member outside of its root: {member.filename}")
            path = Path(archive.extract(member, target))
            mode = (member.external_attr >> 16) & _EXECUTABLE_BITS
            if mode and not member.is_dir():
                path.chmod(mode | 0o600)


def command(code: Path, configuration: dict[str, Any], interpreters: Path) -> list[str]:
    """The command that starts the code.

    Raises:
        Invalid: No interpreter of that version, or no such entry point.
    """
    *wrapper, script = configuration["entryPoint"]
    if not (code / script).is_file():
        raise Invalid(f"The entry point {script} is not in the code artifact")
    python = str(_interpreter(configuration["runtime"], interpreters))
    if not wrapper:
        return [python, script]
    if wrapper != [_INSTRUMENT]:
        raise Invalid(f"The entry point {wrapper[0]} cannot be run: only {_INSTRUMENT} may come before the script")
    if not (code / "opentelemetry" / "instrumentation" / "auto_instrumentation").is_dir():
        raise Invalid(
            f"The entry point asks for {_INSTRUMENT}, and the artifact does not hold opentelemetry-instrumentation"
        )
    return [python, "-m", "opentelemetry.instrumentation.auto_instrumentation", python, script]


def _interpreter(runtime: str, folder: Path) -> Path:
    """An interpreter of that version with an empty site-packages, as the service has it."""
    kind, *version = runtime.split("_")
    if kind != "PYTHON":
        raise Invalid(f"The runtime {runtime} cannot be run on this machine: only Python can")
    number = ".".join(version)
    bare = folder / f"python{number}"
    python = bare / "bin" / "python"
    folder.mkdir(parents=True, exist_ok=True)
    with bare.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not python.exists():
            build = [_find(number), "-m", "venv", "--without-pip", str(bare)]
            subprocess.run(build, check=True, capture_output=True)
    return python


def _find(number: str) -> str:
    if number == f"{sys.version_info.major}.{sys.version_info.minor}":
        return sys.executable
    candidates = [shutil.which(f"python{number}"), *_pyenv(number)]
    for candidate in candidates:
        if candidate and _is_version(candidate, number):
            return candidate
    raise Invalid(
        f"The runtime asks for Python {number}, and this machine has none: install python{number} or declare "
        f"PYTHON_{sys.version_info.major}_{sys.version_info.minor}"
    )


def _pyenv(number: str) -> list[str]:
    root = Path(os.environ.get("PYENV_ROOT", str(Path("~").expanduser() / ".pyenv")))
    return [str(path / "bin" / "python") for path in sorted((root / "versions").glob(f"{number}.*"))]


def _is_version(candidate: str, number: str) -> bool:
    # A pyenv shim is there for every version, and works only for those that are chosen.
    script = "import sys; print('%d.%d' % sys.version_info[:2])"
    asked = subprocess.run([candidate, "-c", script], capture_output=True, text=True, check=False)
    return asked.returncode == 0 and asked.stdout.strip() == number
