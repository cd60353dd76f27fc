"""The virtual environments that the packages run in, and the processes that run there."""

import dataclasses
import json
import os
import pathlib
import re
import select
import shutil
import subprocess
import time

HERE = pathlib.Path(__file__).resolve().parent
REPOSITORY = HERE.parents[2]
BINARY = os.environ.get("HEADWATER_BIN", str(REPOSITORY / "target/release/headwater"))
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "headwater-tests"
READY = re.compile(r"^headwater ready on (\S+), storing in ")
RUN_SECONDS_MAX = 600
START_SECONDS_MAX = 20


@dataclasses.dataclass
class Package:
    """A package on top of ML Metadata, in an environment of its own with Google's library."""

    name: str
    script: str

    @property
    def environment(self):
        return pathlib.Path(os.environ.get(f"{self.name.upper()}_VENV", CACHE / self.name))

    @property
    def requirements(self):
        return HERE / f"requirements-{self.name}.txt"

    def build(self):
        """Makes the environment unless it is there, whole and as the requirements say now."""
        done = self.environment / "requirements.txt"
        if done.exists() and done.read_bytes() == self.requirements.read_bytes():
            return
        python = os.environ.get("PYTHON") or shutil.which("python3.10")
        if python is None:
            raise RuntimeError("these packages want CPython 3.10; name one with PYTHON=...")
        print(f"\nbuilding {self.environment} from {self.requirements.name}")
        subprocess.run([python, "-m", "venv", "--clear", self.environment], check=True)
        install = ["-m", "pip", "install", "--quiet", "--no-deps", "-r", self.requirements]
        subprocess.run([self.environment / "bin/python", *install], check=True)
        shutil.copy(self.requirements, done)

    def run(self, script, *arguments, ml_metadata=None, cwd=None):
        """Runs a script to its end, on Google's library or the given one, and gives its report."""
        variables = {name: os.environ[name] for name in os.environ if name != "PYTHONPATH"}
        if ml_metadata:
            variables["PYTHONPATH"] = str(ml_metadata)
        command = [self.environment / "bin/python", "-W", "ignore", HERE / script, *arguments]
        ended = subprocess.run(
            list(map(str, command)),
            env=variables,
            cwd=cwd,
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS_MAX,
        )
        assert ended.returncode == 0, ended.stderr[-8000:]
        report = json.loads(ended.stdout.splitlines()[-1])
        source = pathlib.Path(report["ml_metadata"][0])
        expected = ml_metadata or self.environment
        assert expected in source.parents, f"`ml_metadata` came from {source}, not {expected}"
        return report


TFX = Package("tfx", "pipeline.py")
CMF = Package("cmf", "cmf_stages.py")


def drop_in(folder):
    """A folder to import our `ml_metadata` from: the wheel, unpacked, or the checkout."""
    if wheel := os.environ.get("HEADWATER_WHEEL"):
        install = ["-m", "pip", "install", "--quiet", "--no-deps", "--target", folder, wheel]
        subprocess.run([TFX.environment / "bin/python", *install], check=True)
        # CMF writes down what pip lists, which is to be the same on both libraries.
        for listed in folder.glob("*.dist-info"):
            shutil.rmtree(listed)
        return folder
    checkout = REPOSITORY / "python"
    if not (checkout / "headwater/_native.abi3.so").exists():
        raise RuntimeError(f"{checkout} has no native module; build it, or set HEADWATER_WHEEL")
    return checkout


class Server:
    """`headwater serve` on a file and a free port, as a context."""

    def __init__(self, file):
        self.file = file

    def __enter__(self):
        command = [BINARY, "serve", "--store", f"sqlite:{self.file}", "--listen", "127.0.0.1:0"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        deadline = time.monotonic() + START_SECONDS_MAX
        while not select.select([self.process.stdout], [], [], 0.2)[0]:
            if time.monotonic() > deadline:
                self.__exit__()
                raise RuntimeError(f"no ready line within {START_SECONDS_MAX} s")
        ready = READY.match(self.process.stdout.readline())
        if ready is None:
            self.__exit__()
            raise RuntimeError("the server did not start; see above")
        return ready[1]

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(timeout=30)
        self.process.stdout.close()
