//! Every fixed statement, named and in canonical SQL.
//!
//! `(?...)` stands for a bound list. Names are `noun_verb_by_what`.

use crate::sql::build::{Insert, Query};

/// The statements of one kind of node. The three kinds differ in names only.
#[derive(Debug)]
pub(crate) struct NodeQueries {
    pub(crate) select_by_ids: Query,
    /// The same, for nodes that the transaction is going to change.
    pub(crate) select_to_change: Query,
    pub(crate) select_by_external_ids: Query,
    pub(crate) select_by_type_and_name: Query,
    /// The nodes linked to one other node, by what links them.
    pub(crate) select_linked: &'static [(&'static str, Query)],
    pub(crate) select_existing_ids: Query,
    pub(crate) select_properties: Query,
    pub(crate) insert: Insert,
    pub(crate) insert_properties: Insert,
    pub(crate) update: Query,
    pub(crate) delete_properties: Query,
    /// Gives the nodes of one type another one, but for those whose names are taken there.
    pub(crate) retype: Query,
    /// Any node.
    pub(crate) select_any: Query,
    /// How many property rows have a value of a kind that came with version 10, and of which node.
    pub(crate) count_valueless: Query,
    /// The columns of a node, for lists.
    pub(crate) columns: &'static str,
    /// The table of the nodes, in lists, which call it `n`.
    pub(crate) table: &'static str,
    /// Id and type.
    pub(crate) select_types: Query,
    /// Name of the statement that reads the ids of what matches a filter.
    pub(crate) match_ids: &'static str,
    /// Names of the statements that count what may match a filter, and that read its ids.
    pub(crate) count_candidates: &'static str,
    pub(crate) read_candidates: &'static str,
    /// Name of the list by the field it is ordered by: id, create time, update time.
    pub(crate) list: [&'static str; 3],
    /// Name of the list in any other order.
    pub(crate) list_by_keys: &'static str,
    /// The condition that picks the members of a context.
    pub(crate) in_context: &'static str,
}

macro_rules! node_columns {
    ($uri:literal, $state:literal) => {
        concat!(
            "id, type_id, name, external_id, create_time_since_epoch, ",
            "last_update_time_since_epoch, ",
            $uri,
            ", ",
            $state
        )
    };
}

macro_rules! node_queries {
    (
        $noun:literal, $table:literal, columns $uri:literal $state:literal,
        insert [$($detail:literal),*], update $update:literal,
        in_context $in_context:literal,
        linked [$($by:literal => $condition:literal),*]
    ) => {
        NodeQueries {
            select_by_ids: Query {
                name: concat!($noun, "_select_by_id"),
                text: concat!(
                    "SELECT ", node_columns!($uri, $state), " FROM ", $table,
                    " WHERE id IN (?...) ORDER BY id"
                ),
            },
            select_to_change: Query {
                name: concat!($noun, "_select_to_change"),
                text: concat!(
                    "SELECT ", node_columns!($uri, $state), " FROM ", $table,
                    " WHERE id IN (?...) ORDER BY id{lock}"
                ),
            },
            select_by_external_ids: Query {
                name: concat!($noun, "_select_by_external_id"),
                text: concat!(
                    "SELECT ", node_columns!($uri, $state), " FROM ", $table,
                    " WHERE external_id IN (?...) ORDER BY id"
                ),
            },
            select_by_type_and_name: Query {
                name: concat!($noun, "_select_by_type_and_name"),
                text: concat!(
                    "SELECT ", node_columns!($uri, $state), " FROM ", $table,
                    " WHERE type_id IN (?...) AND name IN (?...) ORDER BY id"
                ),
            },
            select_linked: &[$((
                $by,
                Query {
                    name: concat!($noun, "_select_by_", $by),
                    text: concat!(
                        "SELECT ", node_columns!($uri, $state), " FROM ", $table,
                        " WHERE ", $condition, " ORDER BY id"
                    ),
                },
            )),*],
            select_existing_ids: Query {
                name: concat!($noun, "_select_existing_id"),
                text: concat!("SELECT id FROM ", $table, " WHERE id IN (?...)"),
            },
            select_properties: Query {
                name: concat!($noun, "_property_select_by_id"),
                text: concat!(
                    "SELECT ", $noun, "_id, name, is_custom_property, int_value, double_value, ",
                    "string_value, byte_value, proto_value, bool_value FROM ", $table, "Property ",
                    "WHERE ", $noun, "_id IN (?...) ORDER BY ", $noun, "_id, name, ",
                    "is_custom_property"
                ),
            },
            insert: Insert {
                name: concat!($noun, "_insert"),
                table: $table,
                columns: &[
                    "type_id", "name", "external_id", "create_time_since_epoch",
                    "last_update_time_since_epoch", $($detail),*
                ],
                ignore_existing: false,
                returns_ids: true,
                can_clash: true,
            },
            insert_properties: Insert {
                name: concat!($noun, "_property_insert"),
                table: concat!($table, "Property"),
                columns: &[
                    concat!($noun, "_id"), "name", "is_custom_property", "int_value",
                    "double_value", "string_value", "byte_value", "proto_value", "bool_value"
                ],
                ignore_existing: false,
                returns_ids: false,
                can_clash: false,
            },
            update: Query {
                name: concat!($noun, "_update"),
                text: concat!(
                    "UPDATE ", $table, " SET ", $update,
                    ", external_id = ?, last_update_time_since_epoch = ? WHERE id = ?"
                ),
            },
            delete_properties: Query {
                name: concat!($noun, "_property_delete"),
                text: concat!(
                    "DELETE FROM ", $table, "Property WHERE ", $noun,
                    "_id = ? AND is_custom_property = ? AND name IN (?...)"
                ),
            },
            retype: Query {
                name: concat!($noun, "_update_type"),
                text: concat!(
                    "UPDATE ", $table, " SET type_id = ? WHERE type_id = ? AND (name IS NULL OR ",
                    "name NOT IN (SELECT name FROM (SELECT name FROM ", $table,
                    " WHERE type_id = ? AND name IS NOT NULL) AS taken))"
                ),
            },
            select_any: Query {
                name: concat!($noun, "_select_any"),
                text: concat!("SELECT id FROM ", $table, " LIMIT 1"),
            },
            count_valueless: Query {
                name: concat!($noun, "_property_count_new_kinds"),
                text: concat!(
                    "SELECT COUNT(*), MIN(", $noun, "_id) FROM ", $table, "Property ",
                    "WHERE proto_value IS NOT NULL OR bool_value IS NOT NULL"
                ),
            },
            columns: node_columns!($uri, $state),
            table: concat!($table, " AS n"),
            select_types: Query {
                name: concat!($noun, "_select_type_by_id"),
                text: concat!("SELECT id, type_id FROM ", $table, " WHERE id IN (?...)"),
            },
            match_ids: concat!($noun, "_match_ids"),
            count_candidates: concat!($noun, "_count_candidates"),
            read_candidates: concat!($noun, "_read_candidates"),
            list: [
                concat!($noun, "_list_by_id"),
                concat!($noun, "_list_by_create_time"),
                concat!($noun, "_list_by_update_time"),
            ],
            list_by_keys: concat!($noun, "_list_by_keys"),
            in_context: $in_context,
        }
    };
}

pub(crate) static ARTIFACT: NodeQueries = node_queries!(
    "artifact", "Artifact", columns "uri" "state",
    insert ["uri", "state"], update "uri = ?, state = ?",
    in_context "id IN (SELECT artifact_id FROM Attribution WHERE context_id = ?)",
    linked ["uri" => "uri IN (?...)"]
);

pub(crate) static EXECUTION: NodeQueries = node_queries!(
    "execution", "Execution", columns "NULL AS uri" "last_known_state",
    insert ["last_known_state"], update "last_known_state = ?",
    in_context "id IN (SELECT execution_id FROM Association WHERE context_id = ?)",
    linked []
);

pub(crate) static CONTEXT: NodeQueries = node_queries!(
    "context", "Context", columns "NULL AS uri" "NULL AS state",
    insert [], update "name = ?",
    in_context "id IN (SELECT context_id FROM ParentContext WHERE parent_context_id = ?)",
    linked [
        "artifact" => "id IN (SELECT context_id FROM Attribution WHERE artifact_id = ?)",
        "execution" => "id IN (SELECT context_id FROM Association WHERE execution_id = ?)"
    ]
);

macro_rules! queries {
    ($($(#[$meta:meta])* $ident:ident $name:literal $text:expr;)*) => {
        $($(#[$meta])* pub(crate) const $ident: Query = Query { name: $name, text: $text };)*

        /// Every fixed query that does not belong to one kind of node, for the golden files.
        #[cfg(test)]
        pub(crate) const QUERIES: &[Query] = &[$($ident),*];
    };
}

macro_rules! type_columns {
    () => {
        "id, name, version, description, input_type, output_type, external_id"
    };
}

queries! {
    TYPE_SELECT_BY_IDS "type_select_by_id" concat!(
        "SELECT ", type_columns!(), " FROM Type WHERE type_kind = ? AND id IN (?...) ORDER BY id"
    );
    TYPE_SELECT_BY_NAMES "type_select_by_name" concat!(
        "SELECT ", type_columns!(), " FROM Type WHERE type_kind = ? AND name IN (?...) ORDER BY id"
    );
    TYPE_SELECT_BY_EXTERNAL_IDS "type_select_by_external_id" concat!(
        "SELECT ", type_columns!(), " FROM Type WHERE type_kind = ? AND external_id IN (?...) ",
        "ORDER BY id"
    );
    TYPE_SELECT_ALL "type_select_by_kind" concat!(
        "SELECT ", type_columns!(), " FROM Type WHERE type_kind = ? ORDER BY id"
    );
    /// A type, held until the end of the transaction.
    TYPE_LOCK "type_lock" "SELECT id FROM Type WHERE id IN (?...) ORDER BY id{lock}";
    /// The name of a type, held until the end of the transaction.
    TYPE_KEY_LOCK "type_key_lock"
        "SELECT type_kind FROM hw_type_key WHERE type_kind = ? AND name = ? AND version = ?{lock}";
    TYPE_UPDATE_EXTERNAL_ID "type_update_external_id"
        "UPDATE Type SET external_id = ? WHERE id = ?";
    TYPE_PROPERTY_SELECT "type_property_select_by_type"
        "SELECT type_id, name, data_type FROM TypeProperty WHERE type_id IN (?...)";
    PARENT_TYPE_SELECT "parent_type_select_by_type" concat!(
        "SELECT p.type_id, t.name FROM ParentType p JOIN Type t ON t.id = p.parent_type_id ",
        "WHERE p.type_id IN (?...)"
    );
    /// Whether the second type is the first one or among its ancestors.
    PARENT_TYPE_ANCESTOR "parent_type_select_ancestor" concat!(
        "WITH RECURSIVE up (id) AS (SELECT id FROM Type WHERE id = ? UNION ",
        "SELECT p.parent_type_id FROM ParentType p JOIN up ON p.type_id = up.id) ",
        "SELECT id FROM up WHERE id = ?"
    );
    EVENT_SELECT_BY_ARTIFACTS "event_select_by_artifact" concat!(
        "SELECT id, artifact_id, execution_id, type, milliseconds_since_epoch FROM Event ",
        "WHERE artifact_id IN (?...) ORDER BY id"
    );
    EVENT_SELECT_BY_EXECUTIONS "event_select_by_execution" concat!(
        "SELECT id, artifact_id, execution_id, type, milliseconds_since_epoch FROM Event ",
        "WHERE execution_id IN (?...) ORDER BY id"
    );
    EVENT_SELECT_BY_ARTIFACTS_AND_TYPES "event_select_by_artifact_and_type" concat!(
        "SELECT id, artifact_id, execution_id, type, milliseconds_since_epoch FROM Event ",
        "WHERE artifact_id IN (?...) AND type IN (?...) ORDER BY id"
    );
    EVENT_SELECT_BY_EXECUTIONS_AND_TYPES "event_select_by_execution_and_type" concat!(
        "SELECT id, artifact_id, execution_id, type, milliseconds_since_epoch FROM Event ",
        "WHERE execution_id IN (?...) AND type IN (?...) ORDER BY id"
    );
    ATTRIBUTION_SELECT_BY_ARTIFACTS "attribution_select_by_artifact"
        "SELECT context_id, artifact_id FROM Attribution WHERE artifact_id IN (?...) ORDER BY id";
    ASSOCIATION_SELECT_BY_EXECUTIONS "association_select_by_execution"
        "SELECT context_id, execution_id FROM Association WHERE execution_id IN (?...) ORDER BY id";
    EVENT_PATH_SELECT "event_path_select_by_event" concat!(
        "SELECT event_id, is_index_step, step_index, step_key FROM EventPath ",
        "WHERE event_id IN (?...) ORDER BY event_id, {path order}"
    );
    PARENT_CONTEXT_SELECT_BY_CHILDREN "parent_context_select_by_child" concat!(
        "SELECT context_id, parent_context_id FROM ParentContext WHERE context_id IN (?...) ",
        "ORDER BY context_id, parent_context_id"
    );
    PARENT_CONTEXT_SELECT_BY_PARENTS "parent_context_select_by_parent" concat!(
        "SELECT parent_context_id, context_id FROM ParentContext ",
        "WHERE parent_context_id IN (?...) ORDER BY parent_context_id, context_id"
    );
    /// Whether the second context is the first one or among its ancestors.
    PARENT_CONTEXT_ANCESTOR "parent_context_select_ancestor" concat!(
        "WITH RECURSIVE up (id) AS (SELECT id FROM Context WHERE id = ? UNION ",
        "SELECT p.parent_context_id FROM ParentContext p JOIN up ON p.context_id = up.id) ",
        "SELECT id FROM up WHERE id = ?"
    );
    ENV_SELECT "env_select_version" "SELECT schema_version FROM MLMDEnv";
    /// The same, held until the end of the transaction: what only one may do at a time.
    ENV_LOCK "env_lock" "SELECT schema_version FROM MLMDEnv{lock}";
    ENV_INSERT "env_insert_version" "INSERT INTO MLMDEnv (schema_version) VALUES (?)";
    ENV_UPDATE "env_update_version" "UPDATE MLMDEnv SET schema_version = ?";
    /// What makes types the same.
    TYPE_SELECT_KEYS "type_select_keys" "SELECT id, type_kind, name, version FROM Type ORDER BY id";
    METRIC_SELECT "metric_select_by_execution" concat!(
        "SELECT id, name, chunks, last_chunk_points FROM hw_metric WHERE execution_id = ? ",
        "ORDER BY name"
    );
    METRIC_UPDATE "metric_update"
        "UPDATE hw_metric SET chunks = ?, last_chunk_points = ? WHERE id = ?";
    METRIC_CHUNK_SELECT "metric_chunk_select_by_metric" concat!(
        "SELECT metric_id, points FROM hw_metric_chunk WHERE metric_id IN (?...) ",
        "ORDER BY metric_id, number"
    );
    METRIC_CHUNK_SELECT_LAST "metric_chunk_select_last" concat!(
        "SELECT c.metric_id, c.points FROM hw_metric m JOIN hw_metric_chunk c ",
        "ON c.metric_id = m.id AND c.number = m.chunks WHERE m.id IN (?...)"
    );
    METRIC_CHUNK_UPDATE "metric_chunk_update"
        "UPDATE hw_metric_chunk SET points = ? WHERE metric_id = ? AND number = ?";
    METRIC_WRITER_SELECT "metric_writer_select"
        "SELECT sequence FROM hw_metric_writer WHERE execution_id = ? AND writer = ?";
    METRIC_WRITER_UPDATE "metric_writer_update"
        "UPDATE hw_metric_writer SET sequence = ? WHERE execution_id = ? AND writer = ?";
    /// Artifacts with a custom property of this name and value.
    ARTIFACT_SELECT_BY_TEXT "artifact_select_by_custom_text" concat!(
        "SELECT p.artifact_id, n.type_id, n.name FROM ArtifactProperty p ",
        "JOIN Artifact n ON n.id = p.artifact_id WHERE p.name = ? AND p.is_custom_property = ? ",
        "AND p.string_value = ? ORDER BY p.artifact_id LIMIT 1000"
    );
    /// The last executions before one with a custom property of this name and value.
    EXECUTION_SELECT_BEFORE "execution_select_by_custom_text" concat!(
        "SELECT execution_id FROM ExecutionProperty WHERE name = ? AND is_custom_property = ? ",
        "AND string_value = ? AND execution_id < ? ORDER BY execution_id DESC LIMIT 200"
    );
    CONTENT_SELECT "content_select_by_digest"
        "SELECT digest, size_bytes FROM hw_content WHERE digest IN (?...) ORDER BY digest";
    CONTENT_CHUNK_SELECT "content_chunk_select_by_digest"
        "SELECT content FROM hw_content_chunk WHERE digest = ? ORDER BY number";
    STEP_SELECT "step_select_by_fingerprint" concat!(
        "SELECT execution_id, finished_ms, claimant, claimed_until_ms FROM hw_step ",
        "WHERE fingerprint = ?{lock}"
    );
    STEP_UPDATE "step_update" concat!(
        "UPDATE hw_step SET execution_id = ?, finished_ms = ?, claimant = ?, ",
        "claimed_until_ms = ? WHERE fingerprint = ?"
    );
    STEP_COUNT "step_count_by_name"
        "SELECT COUNT(*) FROM hw_step WHERE fingerprint = ? OR name = ?";
    STEP_DELETE "step_delete" "DELETE FROM hw_step WHERE fingerprint = ? OR name = ?";
    MIGRATION_SELECT "migration_select" "SELECT target, file, statement FROM hw_migration";
    MIGRATION_INSERT "migration_insert"
        "INSERT INTO hw_migration (id, target, file, statement) VALUES (1, ?, ?, -1)";
    MIGRATION_UPDATE "migration_update" "UPDATE hw_migration SET file = ?, statement = ?";
}

macro_rules! inserts {
    ($($ident:ident $name:literal $table:literal [$($column:literal),*] $($flag:ident)*;)*) => {
        $(pub(crate) static $ident: Insert = Insert {
            $($flag: true,)*
            ..Insert {
                name: $name,
                table: $table,
                columns: &[$($column),*],
                ignore_existing: false,
                returns_ids: false,
                can_clash: false,
            }
        };)*

        /// Every insertion that does not belong to one kind of node, for the golden files.
        #[cfg(test)]
        pub(crate) const INSERTS: &[&Insert] = &[$(&$ident),*];
    };
}

inserts! {
    TYPE_INSERT "type_insert" "Type" [
        "type_kind", "name", "version", "description", "input_type", "output_type", "external_id"
    ] returns_ids can_clash;
    TYPE_KEY_INSERT "type_key_insert" "hw_type_key" ["type_kind", "name", "version"] can_clash;
    TYPE_PROPERTY_INSERT "type_property_insert" "TypeProperty" ["type_id", "name", "data_type"]
        can_clash;
    PARENT_TYPE_INSERT "parent_type_insert" "ParentType" ["type_id", "parent_type_id"] can_clash;
    EVENT_INSERT "event_insert" "Event" [
        "artifact_id", "execution_id", "type", "milliseconds_since_epoch"
    ] returns_ids can_clash;
    EVENT_PATH_INSERT "event_path_insert" "EventPath" [
        "event_id", "is_index_step", "step_index", "step_key"
    ];
    ATTRIBUTION_INSERT "attribution_insert" "Attribution" ["context_id", "artifact_id"]
        ignore_existing;
    ASSOCIATION_INSERT "association_insert" "Association" ["context_id", "execution_id"]
        ignore_existing;
    PARENT_CONTEXT_INSERT "parent_context_insert" "ParentContext" [
        "context_id", "parent_context_id"
    ] can_clash;
    METRIC_INSERT "metric_insert" "hw_metric" [
        "execution_id", "name", "chunks", "last_chunk_points"
    ] returns_ids can_clash;
    METRIC_CHUNK_INSERT "metric_chunk_insert" "hw_metric_chunk" ["metric_id", "number", "points"];
    METRIC_WRITER_INSERT "metric_writer_insert" "hw_metric_writer" [
        "execution_id", "writer", "sequence"
    ];
    CONTENT_INSERT "content_insert" "hw_content" ["digest", "size_bytes"] ignore_existing;
    CONTENT_CHUNK_INSERT "content_chunk_insert" "hw_content_chunk" [
        "digest", "number", "content"
    ] ignore_existing;
    STEP_INSERT "step_insert" "hw_step" [
        "fingerprint", "name", "execution_id", "finished_ms", "claimant", "claimed_until_ms"
    ] can_clash;
}
