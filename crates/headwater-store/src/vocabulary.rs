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

/// Name of a memoized step.
pub const STEP_NAME: &str = "step.name";
/// Before the name of a part of what a step depends on.
pub const STEP_PART: &str = "step.part.";
/// On a step that was skipped: id of the execution whose outputs it has.
pub const STEP_SAME_AS: &str = "step.same_as";
/// Why a step ran though its parts were the same before.
pub const STEP_MISS: &str = "step.miss";
