//! The code that the demo's runs ran, and what they ran in, known by the digests that
//! `headwater.code` and `headwater.environment` compute.

use std::collections::BTreeMap;

use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::story::{Properties, boolean, text};
use headwater_store::digest::sha256;
use headwater_store::vocabulary::{CODE, ENVIRONMENT};

/// The commit of every run; `aaa111` for short.
pub(crate) const COMMIT: &str = "aaa111e5c0a94bd7f2c8b6d3e1907f54a82c6d90";
const TRAIN: &str = include_str!("train.py");
const PATCH: &str = include_str!("train.patch");
const DOCKERFILE: &str = include_str!("Dockerfile");
const REQUIREMENTS: &str = include_str!("requirements.txt");
const PACKAGES: &str = include_str!("packages.txt");
const PACKAGES_DATA: &str = include_str!("packages_data.txt");
const PYTHON: &str = "3.11.7";
const DISTRIBUTION: &str = "Ubuntu 22.04.3 LTS";
const DRIVER: &str = "535.129.03";
const CUDA: &str = "12.2";
pub(crate) const GPU: &str = "Tesla T4";

/// An artifact that runs share.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    pub(crate) type_name: &'static str,
    pub(crate) role: &'static str,
    pub(crate) digest: String,
    pub(crate) properties: Properties,
    /// Bytes that are kept beside it, by the property that has their digest.
    pub(crate) contents: BTreeMap<String, Vec<u8>>,
}

/// The code as it is committed, or with what `train-d` tried.
pub(crate) fn code(is_dirty: bool) -> Shared {
    let changed = changed_train();
    let mut records = vec![vec!["commit", COMMIT]];
    let changed_digest = sha256(changed.as_bytes());
    let mut contents = BTreeMap::new();
    let mut changes = json!({});
    if is_dirty {
        records.push(vec!["change", "train.py", "100644", &changed_digest]);
        contents.insert("code.patch".to_owned(), PATCH.as_bytes().to_vec());
        changes = json!({"train.py": changed_digest});
    }
    let details = json!({"changes": changes, "submodules": [], "left_out": [], "problems": []});
    contents.insert("code.details".to_owned(), details.to_string().into_bytes());
    let properties = Properties::from([
        ("code.commit".to_owned(), text(COMMIT)),
        ("code.remote".to_owned(), text("https://git.example.com/retention/churn.git")),
        ("code.is_dirty".to_owned(), boolean(is_dirty)),
    ]);
    let digest = records_digest(&records);
    Shared { type_name: CODE, role: "code", digest, properties, contents }
}

/// What the patch makes of `train.py`.
fn changed_train() -> String {
    let batches = "    batches = data.repeat().batch(BATCH_SIZE)\n";
    let ahead = "    batches = batches.apply(tf.data.experimental.prefetch_to_device(\"/gpu:0\", \
                 STEPS))\n";
    TRAIN
        .replace("BATCH_SIZE = 256\n", "BATCH_SIZE = 65_536\n")
        .replace(batches, &format!("{batches}{ahead}"))
}

/// As `headwater.code` has it: each field with its length, so that no two lists look alike.
fn records_digest(records: &[Vec<&str>]) -> String {
    let mut bytes = String::new();
    for record in records {
        bytes += &format!("{};", record.len());
        for part in record {
            bytes += &format!("{}:{part}", part.len());
        }
    }
    sha256(bytes.as_bytes())
}

/// The image of the trainings, with TensorFlow and a GPU; or that of all other steps.
pub(crate) fn environment(of_training: bool) -> Shared {
    let listed = if of_training { PACKAGES } else { PACKAGES_DATA };
    let packages: BTreeMap<&str, &str> =
        listed.lines().filter_map(|line| line.split_once("==")).collect();
    let mut contents = BTreeMap::new();
    if of_training {
        contents.insert("file.Dockerfile".to_owned(), DOCKERFILE.as_bytes().to_vec());
        contents.insert("file.requirements.txt".to_owned(), REQUIREMENTS.as_bytes().to_vec());
        contents.insert("file.requirements.lock".to_owned(), listed.as_bytes().to_vec());
    }
    let digest = environment_digest(&packages, of_training, &contents);
    let requirements = format!("# What was installed on CPython {PYTHON}.\n{listed}");
    contents.insert("requirements".to_owned(), requirements.into_bytes());
    let details = details(&packages, of_training).to_string();
    contents.insert("environment.details".to_owned(), details.into_bytes());
    let mut properties = Properties::from([
        ("python.version".to_owned(), text(PYTHON)),
        ("python.implementation".to_owned(), text("CPython")),
        ("system.os".to_owned(), text("Linux")),
        ("system.distribution".to_owned(), text(DISTRIBUTION)),
        ("system.architecture".to_owned(), text("x86_64")),
    ]);
    if of_training {
        properties.insert("cuda".to_owned(), text(CUDA));
        properties.insert("gpu.driver".to_owned(), text(DRIVER));
    }
    let versions = packages.iter().map(|(name, of)| (format!("package.{name}"), text(of)));
    properties.extend(versions);
    Shared { type_name: ENVIRONMENT, role: "environment", digest, properties, contents }
}

/// As `headwater.environment` has it.
fn environment_digest(
    packages: &BTreeMap<&str, &str>,
    has_gpu: bool,
    files: &BTreeMap<String, Vec<u8>>,
) -> String {
    let files: BTreeMap<&str, String> = files
        .iter()
        .filter_map(|(name, data)| Some((name.strip_prefix("file.")?, hex(&Sha256::digest(data)))))
        .collect();
    let named = json!({
        "python": ["CPython", PYTHON],
        "packages": packages.iter().map(|(name, of)| json!([name, of, ""])).collect::<Vec<_>>(),
        "conda": null,
        "system": ["Linux", DISTRIBUTION, "x86_64"],
        "gpus": if has_gpu { json!([[DRIVER], CUDA]) } else { json!([[], null]) },
        "files": files,
    });
    sha256(named.to_string().as_bytes())
}

fn details(packages: &BTreeMap<&str, &str>, has_gpu: bool) -> serde_json::Value {
    let gpu = json!({"name": GPU, "memory_bytes": super::curves::GPU_MEMORY_MIB << 20,
                     "driver": DRIVER});
    json!({
        "python": {
            "version": PYTHON,
            "implementation": "CPython",
            "executable": "/usr/bin/python3.11",
        },
        "packages": packages,
        "direct_urls": {},
        "editable": [],
        "conda": null,
        "system": {
            "os": "Linux",
            "distribution": DISTRIBUTION,
            "kernel": KERNEL,
            "architecture": "x86_64",
            "cpu": CPU,
            "cpus": 8,
            "cpus_usable": 8.0,
            "memory_bytes": MEMORY_BYTES,
            "memory_bytes_max": null,
            "gpus": if has_gpu { vec![gpu] } else { Vec::new() },
            "cuda": if has_gpu { json!(CUDA) } else { json!(null) },
            "host": host(has_gpu),
            "container": "docker",
        },
        "system_packages": {
            "bash": "5.1-6ubuntu1",
            "ca-certificates": "20230311ubuntu0.22.04.1",
            "libc6": "2.35-0ubuntu3.6",
            "libssl3": "3.0.2-0ubuntu1.12",
            "libstdc++6": "12.3.0-1ubuntu1~22.04",
            "python3.11": "3.11.7-1+jammy1",
        },
    })
}

const KERNEL: &str = "5.15.0-1050-aws";
const CPU: &str = "Intel(R) Xeon(R) Platinum 8259CL CPU @ 2.50GHz";
const MEMORY_BYTES: i64 = 32 << 30;

fn host(has_gpu: bool) -> &'static str {
    if has_gpu { "gpu-1" } else { "worker-1" }
}

/// What a run says of the machine it ran on.
pub(crate) fn machine(has_gpu: bool) -> Properties {
    let mut said = Properties::from([
        ("run.host".to_owned(), text(host(has_gpu))),
        ("host.kernel".to_owned(), text(KERNEL)),
        ("host.cpu".to_owned(), text(CPU)),
        ("host.cpus".to_owned(), super::story::int(8)),
        ("host.memory_bytes".to_owned(), super::story::int(MEMORY_BYTES)),
        ("host.container".to_owned(), text("docker")),
        ("env.LANG".to_owned(), text("C.UTF-8")),
        ("env.MLFLOW_TRACKING_TOKEN".to_owned(), text("***")),
    ]);
    if has_gpu {
        said.insert("host.gpus".to_owned(), text(GPU));
        said.insert("env.CUDA_VISIBLE_DEVICES".to_owned(), text("0"));
        said.insert("env.TF_FORCE_GPU_ALLOW_GROWTH".to_owned(), text("true"));
        said.insert("env.PYTHONHASHSEED".to_owned(), text("42"));
        said.insert("seed.PYTHONHASHSEED".to_owned(), text("42"));
        said.insert("seed.tensorflow".to_owned(), text("seed=42"));
    }
    said
}

/// In hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::process::Command;

    use super::*;

    #[test]
    fn git_applies_the_patch_and_what_comes_out_has_the_digest_that_is_recorded() {
        let folder = tempfile::TempDir::new().expect("there is room for a folder");
        let path = folder.path().join("train.py");
        fs::write(&path, TRAIN).expect("it can be written");
        fs::write(folder.path().join("p"), PATCH).expect("it can be written");
        let done = Command::new("git").args(["apply", "p"]).current_dir(folder.path()).status();
        assert!(done.expect("git is there").success());
        let made = fs::read(&path).expect("it is there");
        assert_ne!(made, TRAIN.as_bytes());
        let details = &code(true).contents["code.details"];
        let details: serde_json::Value = serde_json::from_slice(details).expect("it is JSON");
        assert_eq!(details["changes"]["train.py"], sha256(&made));
    }

    #[test]
    fn digests_are_what_python_computes() {
        // headwater.code._digest([("commit", COMMIT)]), and likewise with a change
        assert_eq!(
            code(false).digest,
            "sha256:6831c5f10c9d2168c67e4cb17e09b9b98bf68ffaeea5cf781b112378f66c0241"
        );
        assert_eq!(
            code(true).digest,
            "sha256:90d917478e5a4dca53403e081c626a312e0810156b8d903e62b929eedb778616"
        );
        // headwater.environment._digest
        assert_eq!(
            environment(true).digest,
            "sha256:df4629ecc10931c63b03004795e7464c041e96ed4cd11ebd0869a8c381318341"
        );
    }
}
