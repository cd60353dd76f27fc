//! What a filter may name: the attributes of each kind of node, its neighbours, and the enums.
//!
//! In SQL, `n` is the node that is filtered; `#` stands for the number of the neighbour.

use headwater_proto::ml_metadata::{artifact, event, execution};

use super::resolve::Type;

/// A value that a filter can compare.
#[derive(Debug)]
pub(crate) struct Attribute {
    pub(crate) name: &'static str,
    /// The column, where the value is computed with.
    pub(crate) sql: &'static str,
    /// The column, where an index on it may find the node; none has one if this is `None`.
    pub(crate) indexed: Option<&'static str>,
    pub(crate) of: Type,
    pub(crate) names: Option<EnumNames>,
    /// Whether the table `Type` is joined for it.
    pub(crate) needs_type: bool,
}

/// The names of an enum and their numbers.
pub(crate) type EnumNames = fn() -> Vec<(&'static str, i64)>;

/// Something a node is linked to.
#[derive(Debug)]
pub(crate) struct Neighbour {
    /// What the names of such neighbours begin with.
    pub(crate) prefix: &'static str,
    /// Its tables, the one that is linked to the node first, and what joins each to those before.
    /// The third is the table `Type`, which is joined where it is needed.
    pub(crate) tables: &'static [(&'static str, &'static str)],
    /// The column that equals `node_key`.
    pub(crate) key: &'static str,
    pub(crate) node_key: &'static str,
    pub(crate) attributes: &'static [Attribute],
}

/// One kind of node.
#[derive(Debug)]
pub(crate) struct NodeNames {
    pub(crate) noun: &'static str,
    pub(crate) table: &'static str,
    pub(crate) attributes: &'static [Attribute],
    pub(crate) neighbours: &'static [Neighbour],
    pub(crate) property: Neighbour,
    /// `type` is an attribute that stands in another table.
    pub(crate) type_of: Neighbour,
}

impl NodeNames {
    /// The words that begin a path, for messages.
    pub(crate) fn accepted(&self) -> String {
        let attributes = self.attributes.iter().map(|attribute| attribute.name.to_owned());
        let neighbours = self
            .neighbours
            .iter()
            .map(|neighbour| format!("{}x.{}", neighbour.prefix, neighbour.attributes[0].name));
        let properties = ["properties.x.int_value", "custom_properties.x.string_value"];
        let all: Vec<String> = attributes
            .chain(["type".to_owned()])
            .chain(neighbours)
            .chain(properties.map(str::to_owned))
            .map(|name| format!("`{name}`"))
            .collect();
        all.join(", ")
    }
}

macro_rules! enum_names {
    ($($name:ident $of:ty;)*) => {
        $(fn $name() -> Vec<(&'static str, i64)> {
            let values = (0..16).filter_map(|number| <$of>::try_from(number).ok());
            values.map(|value| (value.as_str_name(), i64::from(value as i32))).collect()
        })*
    };
}

enum_names! {
    artifact_state artifact::State;
    execution_state execution::State;
    event_type event::Type;
}

macro_rules! attributes {
    ($($name:literal $of:ident $sql:literal $($option:ident $value:expr),*;)*) => {
        &[$(Attribute {
            $($option: attributes!(@$option $value),)*
            ..attribute($name, $sql, Type::$of)
        }),*]
    };
    (@needs_type $value:expr) => { $value };
    (@indexed $value:expr) => { Some($value) };
    (@names $value:expr) => { Some($value as EnumNames) };
}

const fn attribute(name: &'static str, sql: &'static str, of: Type) -> Attribute {
    Attribute { name, sql, indexed: None, of, names: None, needs_type: false }
}

/// The attributes that all nodes have, and those of the kind. The plus keeps a database from
/// reading all nodes of a type and sorting them, where the order of the list ends the search early.
macro_rules! node_attributes {
    ($($details:tt)*) => {
        attributes! {
            "id" Int "n.id" indexed "n.id";
            "name" Text "n.name" indexed "n.name";
            "type_id" Int "+n.type_id" indexed "n.type_id";
            "external_id" Text "n.external_id" indexed "n.external_id";
            "create_time_since_epoch" Int "n.create_time_since_epoch"
                indexed "n.create_time_since_epoch";
            "last_update_time_since_epoch" Int "n.last_update_time_since_epoch"
                indexed "n.last_update_time_since_epoch";
            $($details)*
        }
    };
}

/// The attributes that all neighbours have, and those of the kind.
macro_rules! neighbour_attributes {
    ($($details:tt)*) => {
        attributes! {
            "id" Int "t#.id" indexed "t#.id";
            "name" Text "t#.name" indexed "t#.name";
            "type" Text "k#.name" indexed "k#.name", needs_type true;
            "create_time_since_epoch" Int "t#.create_time_since_epoch" ;
            "last_update_time_since_epoch" Int "t#.last_update_time_since_epoch" ;
            $($details)*
        }
    };
}

const CONTEXT_ATTRIBUTES: &[Attribute] = neighbour_attributes! {};

/// The values of a property. What the columns cannot say exactly stands in `byte_value`
/// (`rows.rs`): a string there counts where it agrees with the one beside it, and a NaN, which
/// compares with nothing, is as good as no value.
const PROPERTY_ATTRIBUTES: &[Attribute] = attributes! {
    "int_value" Int "t#.int_value" indexed "t#.int_value";
    "double_value" Double "CASE WHEN t#.double_value < 'nan' THEN t#.double_value END"
        indexed "t#.double_value";
    "string_value" Text
        "CASE WHEN t#.string_value = ' ' || CAST(t#.byte_value AS TEXT) \
         THEN CAST(t#.byte_value AS TEXT) ELSE t#.string_value END"
        indexed "t#.string_value";
    "bool_value" Bool "t#.bool_value" ;
};

/// A property whatever its type is: its numbers as one.
pub(crate) const PROPERTY_NUMBER: Attribute = Attribute {
    indexed: Some("t#.double_value"),
    ..attribute(
        "double_value",
        "COALESCE(CASE WHEN t#.double_value < 'nan' THEN t#.double_value END, t#.int_value)",
        Type::Double,
    )
};

/// Whether there is a property of this name at all.
pub(crate) const PROPERTY_ITSELF: Attribute = attribute("name", "t#.name", Type::Text);

const TYPE_ATTRIBUTES: &[Attribute] = attributes! { "type" Text "t#.name" indexed "t#.name"; };

macro_rules! events {
    ($key:literal, $other:literal, $other_sql:literal) => {
        Neighbour {
            prefix: "events_",
            tables: &[("Event AS t#", "")],
            key: $key,
            node_key: "n.id",
            attributes: attributes! {
                "type" Int "t#.type" names event_type;
                "milliseconds_since_epoch" Int "t#.milliseconds_since_epoch" ;
                $other Int $other_sql indexed $other_sql;
            },
        }
    };
}

macro_rules! linked {
    ($prefix:literal, $link:literal $key:literal, $table:literal $on:literal, $attributes:expr) => {
        Neighbour {
            prefix: $prefix,
            tables: &[
                (concat!($link, " AS l#"), ""),
                (concat!($table, " AS t#"), concat!("t#.id = l#.", $on)),
                ("Type AS k#", "k#.id = t#.type_id"),
            ],
            key: concat!("l#.", $key),
            node_key: "n.id",
            attributes: $attributes,
        }
    };
}

macro_rules! property {
    ($table:literal, $key:literal) => {
        Neighbour {
            prefix: "properties",
            tables: &[(concat!($table, "Property AS t#"), "")],
            key: concat!("t#.", $key),
            node_key: "n.id",
            attributes: PROPERTY_ATTRIBUTES,
        }
    };
}

const TYPE_OF: Neighbour = Neighbour {
    prefix: "type",
    tables: &[("Type AS t#", "")],
    key: "t#.id",
    node_key: "+n.type_id",
    attributes: TYPE_ATTRIBUTES,
};

pub(crate) static ARTIFACT: NodeNames = NodeNames {
    noun: "artifact",
    table: "Artifact AS n",
    attributes: node_attributes! {
        "uri" Text "n.uri" indexed "n.uri";
        "state" Int "n.state" names artifact_state;
    },
    neighbours: &[
        linked!(
            "contexts_", "Attribution" "artifact_id", "Context" "context_id", CONTEXT_ATTRIBUTES
        ),
        events!("t#.artifact_id", "execution_id", "t#.execution_id"),
    ],
    property: property!("Artifact", "artifact_id"),
    type_of: TYPE_OF,
};

pub(crate) static EXECUTION: NodeNames = NodeNames {
    noun: "execution",
    table: "Execution AS n",
    attributes: node_attributes! {
        "last_known_state" Int "n.last_known_state" names execution_state;
    },
    neighbours: &[
        linked!(
            "contexts_", "Association" "execution_id", "Context" "context_id", CONTEXT_ATTRIBUTES
        ),
        events!("t#.execution_id", "artifact_id", "t#.artifact_id"),
    ],
    property: property!("Execution", "execution_id"),
    type_of: TYPE_OF,
};

pub(crate) static CONTEXT: NodeNames = NodeNames {
    noun: "context",
    table: "Context AS n",
    attributes: node_attributes! {},
    neighbours: &[
        linked!(
            "parent_contexts_", "ParentContext" "context_id", "Context" "parent_context_id",
            CONTEXT_ATTRIBUTES
        ),
        linked!(
            "child_contexts_", "ParentContext" "parent_context_id", "Context" "context_id",
            CONTEXT_ATTRIBUTES
        ),
        linked!(
            "artifacts_", "Attribution" "context_id", "Artifact" "artifact_id",
            neighbour_attributes! {
                "uri" Text "t#.uri" indexed "t#.uri";
                "state" Int "t#.state" names artifact_state;
                "external_id" Text "t#.external_id" indexed "t#.external_id";
            }
        ),
        linked!(
            "executions_", "Association" "context_id", "Execution" "execution_id",
            neighbour_attributes! {
                "last_known_state" Int "t#.last_known_state" names execution_state;
                "external_id" Text "t#.external_id" indexed "t#.external_id";
            }
        ),
    ],
    property: property!("Context", "context_id"),
    type_of: TYPE_OF,
};
