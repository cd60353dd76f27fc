"""Finds out code and environment for `headwater run`, in the Python that the command runs with.

Standard input has the modules that do it, and what is asked, as JSON; standard output gets the
answer, as JSON, bytes as base64. Nothing of the package need be installed here.
"""

import base64
import json
import os
import site
import sys
import types


def main():
    if sys.version_info < (3, 9):  # noqa: UP036
        return {"version": sys.version.split()[0]}
    asked = json.load(sys.stdin)
    sys.modules["headwater"] = package = types.ModuleType("headwater")
    package.__path__ = []
    for name, text in asked["modules"]:
        module = types.ModuleType("headwater." + name)
        sys.modules[module.__name__] = module
        setattr(package, name, module)
        exec(compile(text, "headwater/" + name + ".py", "exec"), module.__dict__)
    code, environment = package.code, package.environment
    # All that these modules need is imported: now the path may be the command's.
    sys.path[:0] = paths(asked["script_folder"])
    found_code = code.capture_code(asked["entry_point"])
    found = environment.capture_environment()
    return {
        "version": sys.version.split()[0],
        "argv": environment.redact(asked["argv"]),
        "params": environment.redact(dict(asked["params"])),
        "folders": sorted({sys.prefix, sys.base_prefix, os.path.dirname(os.__file__)}),
        "suffixes": sorted(code._SOURCES),
        "code": of_code(found_code),
        "environment": of_environment(found),
        "problems": [*asked["problems"], *found_code.problems, *found.problems],
    }


def paths(script_folder):
    """What an isolated Python leaves out of its path."""
    found = [script_folder] if script_folder else []
    found += [each for each in os.environ.get("PYTHONPATH", "").split(os.pathsep) if each]
    is_virtual = sys.prefix != sys.base_prefix
    if not is_virtual and not os.environ.get("PYTHONNOUSERSITE"):
        user = site.getusersitepackages()
        found += [user] if os.path.isdir(user) else []
    return found


def of_code(code):
    details = {
        "changes": dict(code.changes),
        "submodules": [vars(each) for each in code.submodules],
        "left_out": [vars(each) for each in code.left_out],
        "problems": list(code.problems),
    }
    return {
        "entry_point": code.entry_point,
        "folder": code.folder,
        "digest": code.digest,
        "commit": code.commit,
        "branch": code.branch,
        "remote": code.remote,
        "is_dirty": code.is_dirty,
        "patch": encoded(code.patch),
        "snapshot": encoded(code.snapshot),
        "details": encoded(as_json(details)),
    }


def of_environment(found):
    system = found.system
    host = {
        "kernel": system.kernel,
        "cpu": system.cpu,
        "cpus": system.cpus,
        "cpus_usable": system.cpus_usable,
        "memory_bytes": system.memory_bytes,
        "memory_bytes_max": system.memory_bytes_max,
        "gpus": ", ".join(gpu.name for gpu in system.gpus),
        "container": system.container,
    }
    details = {
        "python": vars(found.python),
        "packages": dict(found.packages),
        "direct_urls": dict(found.direct_urls),
        "editable": list(found.editable),
        "conda": list(found.conda.packages) if found.conda else None,
        "system": {**vars(system), "gpus": [vars(gpu) for gpu in system.gpus]},
        "system_packages": dict(found.system_packages),
    }
    return {
        "digest": found.digest,
        "python": {
            "version": found.python.version,
            "implementation": found.python.implementation,
        },
        "packages": dict(found.packages),
        "requirements": encoded(found.requirements.encode()),
        "files": {name: encoded(data) for name, data in found.files.items()},
        "system": {
            "system.os": system.os,
            "system.distribution": system.distribution,
            "system.architecture": system.architecture,
            "cuda": system.cuda,
            "gpu.driver": ", ".join(sorted({gpu.driver for gpu in system.gpus})),
            "conda": found.conda.name if found.conda else None,
        },
        "host": host,
        "variables": dict(found.variables),
        # The random state of this process is not the command's.
        "seeds": {"PYTHONHASHSEED": os.environ.get("PYTHONHASHSEED") or "random"},
        "details": encoded(as_json(details)),
    }


def as_json(of):
    return json.dumps(of, sort_keys=True, default=list).encode()


def encoded(data):
    return None if data is None else base64.b64encode(data).decode()


json.dump(main(), sys.stdout)
