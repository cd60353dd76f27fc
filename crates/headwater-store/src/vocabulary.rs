//! The names by which what Headwater records stands on the graph. `docs/concepts/model.md` says
//! what each means; `headwater/vocabulary.py` has those that Python writes.

/// What a version consists of, as in `sha256:…`.
pub const DIGEST: &str = "digest";
/// Name that the versions of one thing share.
pub const VERSION_NAME: &str = "version.name";
/// Number of a version, from 1 on.
pub const VERSION_NUMBER: &str = "version.number";
/// On the context of the versions: the number of the last one.
pub const VERSIONS: &str = "versions";

/// On a context or a version: who answers for it.
pub const OWNER: &str = "owner";
/// Before the name of an alias: number of the version that is called so.
pub const ALIAS: &str = "alias.";
/// Digest of the content that says what is in a version.
pub const PROFILE: &str = "profile";
/// Names of the columns that are chosen, or trained on, in their order, as a JSON list.
pub const FEATURES: &str = "features";
/// Type of the artifacts that evaluations make.
pub const METRICS: &str = "headwater.Metrics";
/// Before the name of a metric.
pub const METRIC: &str = "metrics.";
/// Before a slice of the data, then `.metrics.` and the name of the metric.
pub const SLICE: &str = "slice.";
/// Where a model was deployed to.
pub const DEPLOY_TARGET: &str = "deploy.target";
/// Why, of a rollback.
pub const DEPLOY_REASON: &str = "deploy.reason";
/// What kind of event started a run.
pub const TRIGGER_KIND: &str = "trigger.kind";
/// The event, for people.
pub const TRIGGER_REASON: &str = "trigger.reason";
/// Id of the artifact that it was about.
pub const TRIGGER_ARTIFACT: &str = "trigger.artifact";
/// Id of the execution.
pub const TRIGGER_EXECUTION: &str = "trigger.execution";
/// The metric that crossed a threshold.
pub const TRIGGER_METRIC: &str = "trigger.metric";
/// Its value.
pub const TRIGGER_VALUE: &str = "trigger.value";
/// The threshold.
pub const TRIGGER_THRESHOLD: &str = "trigger.threshold";
/// `sha256:…` of the name and the parts of a memoized step.
pub const STEP_FINGERPRINT: &str = "step.fingerprint";

/// Name of a memoized step.
pub const STEP_NAME: &str = "step.name";
/// Before the name of a part of what a step depends on.
pub const STEP_PART: &str = "step.part.";
/// On a step that was skipped: id of the execution whose outputs it has.
pub const STEP_SAME_AS: &str = "step.same_as";
/// Why a step ran though its parts were the same before.
pub const STEP_MISS: &str = "step.miss";

/// Types of runs, by the word that callers say, with the names of their base types in the contract.
pub const RUN_KINDS: [(&str, &str, &str); 6] = [
    ("run", "headwater.Run", "UNSET"),
    ("train", "headwater.Train", "TRAIN"),
    ("transform", "headwater.Transform", "TRANSFORM"),
    ("process", "headwater.Process", "PROCESS"),
    ("evaluate", "headwater.Evaluate", "EVALUATE"),
    ("deploy", "headwater.Deploy", "DEPLOY"),
];
/// Type of the contexts of experiments.
pub const EXPERIMENT: &str = "headwater.Experiment";
/// Type of the contexts of pipelines.
pub const PIPELINE: &str = "headwater.Pipeline";
/// Type of the contexts of runs of pipelines; children of the pipeline.
pub const PIPELINE_RUN: &str = "headwater.PipelineRun";

/// Type of datasets.
pub const DATASET: &str = "headwater.Dataset";
/// Type of models.
pub const MODEL: &str = "headwater.Model";
/// Type of what is neither.
pub const ARTIFACT: &str = "headwater.Artifact";
/// Types of versions, with the types of the contexts that count them, and the names of their base
/// types in the contract.
pub const VERSIONED: [(&str, &str, &str); 3] = [
    (DATASET, "headwater.RegisteredDataset", "DATASET"),
    (MODEL, "headwater.RegisteredModel", "MODEL"),
    (ARTIFACT, "headwater.RegisteredArtifact", "UNSET"),
];
/// Type of the artifacts that say which code ran.
pub const CODE: &str = "headwater.Code";
/// Type of the artifacts that say what it ran in.
pub const ENVIRONMENT: &str = "headwater.Environment";

/// Name of a run as the caller said it.
pub const RUN_NAME: &str = "run.name";
/// When a run began, in milliseconds since the Unix epoch, by its own clock.
pub const RUN_STARTED: &str = "run.started_ms";
/// When it ended.
pub const RUN_ENDED: &str = "run.ended_ms";
/// Rises every half minute while it lives.
pub const RUN_HEARTBEAT: &str = "run.heartbeat_ms";
/// Who started it.
pub const RUN_USER: &str = "run.user";
/// Where it ran.
pub const RUN_HOST: &str = "run.host";
/// Its process id there.
pub const RUN_PID: &str = "run.pid";
/// Its command as a JSON list, secrets redacted.
pub const RUN_ARGV: &str = "run.argv";
/// The folder it was started in.
pub const RUN_FOLDER: &str = "run.folder";
/// What ended a run that failed.
pub const RUN_ERROR: &str = "run.error";
/// The traceback that it printed.
pub const RUN_TRACEBACK: &str = "run.traceback";
/// Its exit code, as a shell has it.
pub const RUN_EXIT_CODE: &str = "run.exit_code";
/// The last lines that it printed.
pub const RUN_LOG_TAIL: &str = "run.log_tail";
/// What could not be found out, a sentence on each line.
pub const RUN_PROBLEMS: &str = "run.problems";
/// Before the name of a parameter.
pub const PARAM: &str = "params.";
/// Before the name of a tag.
pub const TAG: &str = "tag.";

/// SHA-256 of the bytes of a version, in hexadecimal digits.
pub const DIGEST_SHA256: &str = "digest.sha256";
/// MD5 of them.
pub const DIGEST_MD5: &str = "digest.md5";
/// Bytes of all files of a version.
pub const SIZE_BYTES: &str = "size_bytes";
/// How many files there are in a folder.
pub const FILES: &str = "files";
/// What a version is written in, as in `csv`.
pub const FORMAT: &str = "format";
/// Of a checkpoint: the step whose weights it has.
pub const CHECKPOINT_STEP: &str = "step";
