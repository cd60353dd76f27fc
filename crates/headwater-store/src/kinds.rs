//! Artifact, Execution and Context are one thing, and so are their types: the traits under which
//! every operation is written once.

use std::collections::BTreeMap;

use headwater_proto::ml_metadata::{
    Artifact, ArtifactStructType, ArtifactType, Context, ContextType, Execution, ExecutionType,
    Value as PropertyValue, artifact, execution,
};

use crate::backend::Value;
use crate::sql::queries::{ARTIFACT, CONTEXT, EXECUTION, NodeQueries};

/// Properties of a node by name.
pub(crate) type Properties = BTreeMap<String, PropertyValue>;

/// What tells the kinds of node apart.
#[derive(Debug)]
pub(crate) struct Kind {
    /// The contract's word for it.
    pub(crate) noun: &'static str,
    /// `Type.type_kind` of its types.
    pub(crate) type_kind: i64,
    pub(crate) queries: &'static NodeQueries,
    /// Whether a node without a name, or with an empty one, is refused.
    pub(crate) name_required: bool,
    /// Names of the system types, by the number of `base_type`; 0 is UNSET.
    pub(crate) base_types: &'static [&'static str],
}

pub(crate) static ARTIFACTS: Kind = Kind {
    noun: "artifact",
    type_kind: 1,
    queries: &ARTIFACT,
    name_required: false,
    base_types: &["", "mlmd.Dataset", "mlmd.Model", "mlmd.Metrics", "mlmd.Statistics"],
};

pub(crate) static EXECUTIONS: Kind = Kind {
    noun: "execution",
    type_kind: 0,
    queries: &EXECUTION,
    name_required: false,
    base_types: &[
        "",
        "mlmd.Train",
        "mlmd.Transform",
        "mlmd.Process",
        "mlmd.Evaluate",
        "mlmd.Deploy",
    ],
};

pub(crate) static CONTEXTS: Kind = Kind {
    noun: "context",
    type_kind: 2,
    queries: &CONTEXT,
    name_required: true,
    base_types: &[""],
};

/// A node of the graph.
pub(crate) trait Node: prost::Message + Default + Clone + PartialEq {
    /// The message of its types.
    type Type: NodeType;
    const KIND: &'static Kind;

    fn id(&self) -> Option<i64>;
    fn set_id(&mut self, id: i64);
    fn type_id(&self) -> Option<i64>;
    fn set_type_id(&mut self, id: Option<i64>);
    fn set_type_name(&mut self, name: String);
    fn name(&self) -> Option<&str>;
    fn name_mut(&mut self) -> &mut Option<String>;
    fn external_id(&self) -> Option<&str>;
    fn external_id_mut(&mut self) -> &mut Option<String>;
    fn properties(&self) -> &Properties;
    fn properties_mut(&mut self) -> &mut Properties;
    fn custom_properties(&self) -> &Properties;
    fn custom_properties_mut(&mut self) -> &mut Properties;
    fn create_time(&self) -> i64;
    fn update_time(&self) -> i64;
    fn set_times(&mut self, create: Option<i64>, update: Option<i64>);

    /// Fills in the two columns that only some kinds have.
    fn set_details(&mut self, uri: Option<String>, state: Option<i64>);
    /// Values of the columns that the insertion has beside the common ones.
    fn insert_details(&self) -> Vec<Value<'_>>;
    /// Values of the columns that an update sets beside the common ones.
    fn update_details(&self) -> Vec<Value<'_>>;
    /// Takes the fields that a mask names over from `source`; unknown paths are ignored.
    fn take_field(&mut self, path: &str, source: &Self);
    /// The number of a state that the contract does not have.
    fn unknown_state(&self) -> Option<i32>;
}

macro_rules! node_accessors {
    () => {
        fn id(&self) -> Option<i64> {
            self.id
        }
        fn set_id(&mut self, id: i64) {
            self.id = Some(id);
        }
        fn type_id(&self) -> Option<i64> {
            self.type_id
        }
        fn set_type_id(&mut self, id: Option<i64>) {
            self.type_id = id;
        }
        fn set_type_name(&mut self, name: String) {
            self.r#type = Some(name);
        }
        fn name(&self) -> Option<&str> {
            self.name.as_deref()
        }
        fn name_mut(&mut self) -> &mut Option<String> {
            &mut self.name
        }
        fn external_id(&self) -> Option<&str> {
            self.external_id.as_deref()
        }
        fn external_id_mut(&mut self) -> &mut Option<String> {
            &mut self.external_id
        }
        fn properties(&self) -> &Properties {
            &self.properties
        }
        fn properties_mut(&mut self) -> &mut Properties {
            &mut self.properties
        }
        fn custom_properties(&self) -> &Properties {
            &self.custom_properties
        }
        fn custom_properties_mut(&mut self) -> &mut Properties {
            &mut self.custom_properties
        }
        fn create_time(&self) -> i64 {
            self.create_time_since_epoch.unwrap_or(0)
        }
        fn update_time(&self) -> i64 {
            self.last_update_time_since_epoch.unwrap_or(0)
        }
        fn set_times(&mut self, create: Option<i64>, update: Option<i64>) {
            self.create_time_since_epoch = create;
            self.last_update_time_since_epoch = update;
        }
    };
}

/// A stored state; one that does not fit an enum reads as unknown to the contract.
fn state_number(state: Option<i64>) -> Option<i32> {
    state.map(|state| i32::try_from(state).unwrap_or(0))
}

impl Node for Artifact {
    type Type = ArtifactType;
    const KIND: &'static Kind = &ARTIFACTS;
    node_accessors!();

    fn set_details(&mut self, uri: Option<String>, state: Option<i64>) {
        self.uri = Some(uri.unwrap_or_default());
        self.state = state_number(state);
    }
    fn insert_details(&self) -> Vec<Value<'_>> {
        self.update_details()
    }
    fn update_details(&self) -> Vec<Value<'_>> {
        vec![self.uri().into(), self.state.map(i64::from).into()]
    }
    fn take_field(&mut self, path: &str, source: &Self) {
        match path {
            "uri" => self.uri.clone_from(&source.uri),
            "state" => self.state = source.state,
            "external_id" => self.external_id.clone_from(&source.external_id),
            _ => {}
        }
    }
    fn unknown_state(&self) -> Option<i32> {
        self.state.filter(|state| artifact::State::try_from(*state).is_err())
    }
}

impl Node for Execution {
    type Type = ExecutionType;
    const KIND: &'static Kind = &EXECUTIONS;
    node_accessors!();

    fn set_details(&mut self, _: Option<String>, state: Option<i64>) {
        self.last_known_state = state_number(state);
    }
    fn insert_details(&self) -> Vec<Value<'_>> {
        self.update_details()
    }
    fn update_details(&self) -> Vec<Value<'_>> {
        vec![self.last_known_state.map(i64::from).into()]
    }
    fn take_field(&mut self, path: &str, source: &Self) {
        match path {
            "last_known_state" => self.last_known_state = source.last_known_state,
            "external_id" => self.external_id.clone_from(&source.external_id),
            _ => {}
        }
    }
    fn unknown_state(&self) -> Option<i32> {
        self.last_known_state.filter(|state| execution::State::try_from(*state).is_err())
    }
}

impl Node for Context {
    type Type = ContextType;
    const KIND: &'static Kind = &CONTEXTS;
    node_accessors!();

    fn set_details(&mut self, _: Option<String>, _: Option<i64>) {}
    fn insert_details(&self) -> Vec<Value<'_>> {
        Vec::new()
    }
    fn update_details(&self) -> Vec<Value<'_>> {
        vec![self.name().into()]
    }
    fn take_field(&mut self, path: &str, source: &Self) {
        match path {
            "name" => self.name.clone_from(&source.name),
            "external_id" => self.external_id.clone_from(&source.external_id),
            _ => {}
        }
    }
    fn unknown_state(&self) -> Option<i32> {
        None
    }
}

/// A type of nodes.
pub(crate) trait NodeType: prost::Message + Default + Clone + PartialEq {
    const KIND: &'static Kind;

    fn id(&self) -> i64;
    fn name(&self) -> &str;
    /// The version, where an empty one counts as none.
    fn version(&self) -> Option<&str>;
    fn description(&self) -> Option<&str>;
    fn external_id(&self) -> Option<&str>;
    fn clear_external_id(&mut self);
    fn properties(&self) -> &BTreeMap<String, i32>;
    fn properties_mut(&mut self) -> &mut BTreeMap<String, i32>;
    fn base_type(&self) -> Option<i32>;
    fn set_base_type(&mut self, base_type: i32);
    fn set_head(&mut self, head: TypeHead);
    /// The struct types of an execution type's inputs and outputs.
    fn struct_types(&self) -> [Option<&ArtifactStructType>; 2] {
        [None, None]
    }
    fn set_struct_types(&mut self, _: [Option<ArtifactStructType>; 2]) {}
}

/// The plain columns of a type.
pub(crate) struct TypeHead {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) version: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) external_id: Option<String>,
}

macro_rules! type_accessors {
    () => {
        fn id(&self) -> i64 {
            self.id.unwrap_or(0)
        }
        fn name(&self) -> &str {
            self.name.as_deref().unwrap_or("")
        }
        fn version(&self) -> Option<&str> {
            self.version.as_deref().filter(|version| !version.is_empty())
        }
        fn description(&self) -> Option<&str> {
            self.description.as_deref()
        }
        fn external_id(&self) -> Option<&str> {
            self.external_id.as_deref()
        }
        fn clear_external_id(&mut self) {
            self.external_id = None;
        }
        fn properties(&self) -> &BTreeMap<String, i32> {
            &self.properties
        }
        fn properties_mut(&mut self) -> &mut BTreeMap<String, i32> {
            &mut self.properties
        }
        fn base_type(&self) -> Option<i32> {
            self.base_type
        }
        fn set_base_type(&mut self, base_type: i32) {
            self.base_type = Some(base_type);
        }
        fn set_head(&mut self, head: TypeHead) {
            self.id = Some(head.id);
            self.name = Some(head.name);
            self.version = head.version;
            self.description = head.description;
            self.external_id = head.external_id;
        }
    };
}

impl NodeType for ArtifactType {
    const KIND: &'static Kind = &ARTIFACTS;
    type_accessors!();
}

impl NodeType for ExecutionType {
    const KIND: &'static Kind = &EXECUTIONS;
    type_accessors!();

    fn struct_types(&self) -> [Option<&ArtifactStructType>; 2] {
        [self.input_type.as_ref(), self.output_type.as_ref()]
    }
    fn set_struct_types(&mut self, [input, output]: [Option<ArtifactStructType>; 2]) {
        self.input_type = input;
        self.output_type = output;
    }
}

impl NodeType for ContextType {
    const KIND: &'static Kind = &CONTEXTS;
    type_accessors!();
}

#[cfg(test)]
mod tests {
    use headwater_proto::ml_metadata::{artifact_type, execution_type};

    use super::*;

    #[test]
    fn base_types_are_those_of_the_contract() {
        let names = |kind: &Kind| kind.base_types.len();
        assert_eq!(names(&ARTIFACTS), 5);
        assert_eq!(artifact_type::SystemDefinedBaseType::Statistics as usize, 4);
        assert_eq!(names(&EXECUTIONS), 6);
        assert_eq!(execution_type::SystemDefinedBaseType::Deploy as usize, 5);
    }
}
