//! How a run is written on the graph, with the methods of the table, in a store or on a server.

use std::collections::BTreeMap;

use headwater_proto::headwater::v1::{
    LogMetricsRequest, PutContentsRequest, RegisterVersionRequest,
};
use headwater_proto::ml_metadata::{
    Artifact, ArtifactType, Context, ContextType, Event, Execution, ExecutionType,
    GetArtifactsByExternalIdsRequest, GetExecutionByTypeAndNameRequest, ParentContext,
    PutArtifactTypeRequest, PutArtifactsRequest, PutContextTypeRequest, PutEventsRequest,
    PutExecutionRequest, PutExecutionTypeRequest, PutExecutionsRequest, PutParentContextsRequest,
    Value, artifact, artifact_type, event, execution_type, put_execution_request, value,
};
use headwater_store::vocabulary::{PIPELINE, PIPELINE_RUN, RUN_KINDS, VERSIONED};
use headwater_store::{Call, ErrorKind};

use crate::client::{Client, Place, Refusal};

/// Custom properties by name.
pub(super) type Properties = BTreeMap<String, Value>;

/// The store or the server that a run is recorded in.
pub(super) struct Graph(Client);

/// What a run is as it begins.
#[derive(Clone, Debug)]
pub(super) struct Begin {
    /// A kind of the vocabulary.
    pub(super) kind: String,
    /// The unique name of the execution.
    pub(super) key: String,
    /// Types and names of the contexts that it is in.
    pub(super) contexts: Vec<(&'static str, String)>,
    pub(super) properties: Properties,
}

/// An artifact that runs share, found by its external id.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    pub(super) type_name: &'static str,
    pub(super) role: &'static str,
    pub(super) digest: String,
    pub(super) properties: Properties,
    /// Bytes that are kept beside it, by the property that has their digest.
    pub(super) contents: BTreeMap<String, Vec<u8>>,
}

/// A file or folder that was read or made.
#[derive(Clone, Debug)]
pub(super) struct Version {
    pub(super) type_name: &'static str,
    pub(super) role: &'static str,
    pub(super) is_input: bool,
    pub(super) uri: String,
    /// What it is called if it has not been there.
    pub(super) name: String,
    pub(super) digest: String,
    pub(super) properties: Properties,
}

impl Graph {
    pub(super) fn open(place: &Place) -> Result<Self, Refusal> {
        Client::open(place).map(Self)
    }

    /// Makes the execution, and what it is in. The same again finds what was made.
    pub(super) fn begin(&self, begin: &Begin) -> Result<i64, Refusal> {
        let kind = RUN_KINDS.iter().find(|(kind, _, _)| *kind == begin.kind);
        let (_, type_name, base) = kind.expect("the command line takes no other");
        let base = execution_type::SystemDefinedBaseType::from_str_name(base);
        let made = self.0.call(&PutExecutionTypeRequest {
            execution_type: Some(ExecutionType {
                name: Some((*type_name).to_owned()),
                base_type: base.map(i32::from).filter(|base| *base != 0),
                ..Default::default()
            }),
            can_omit_fields: Some(true),
            ..Default::default()
        })?;
        let mut contexts = Vec::new();
        for (type_name, name) in &begin.contexts {
            let type_id = Some(self.context_type(type_name)?);
            contexts.push(Context { type_id, name: Some(name.clone()), ..Default::default() });
        }
        let answer = self.0.call(&PutExecutionRequest {
            execution: Some(Execution {
                type_id: made.type_id,
                name: Some(begin.key.clone()),
                last_known_state: Some(2),
                custom_properties: begin.properties.clone(),
                ..Default::default()
            }),
            contexts,
            options: Some(put_execution_request::Options {
                reuse_context_if_already_exist: Some(true),
                ..Default::default()
            }),
            ..Default::default()
        });
        let answer = match answer {
            Err(refusal) if refusal.is(ErrorKind::AlreadyExists) => {
                let found = self.0.call(&GetExecutionByTypeAndNameRequest {
                    type_name: Some((*type_name).to_owned()),
                    execution_name: Some(begin.key.clone()),
                    ..Default::default()
                })?;
                return Ok(found.execution.and_then(|found| found.id).unwrap_or_default());
            }
            answer => answer?,
        };
        let id_of = |type_name: &str| {
            let at = begin.contexts.iter().position(|(each, _)| *each == type_name)?;
            answer.context_ids.get(at).copied()
        };
        if let (Some(parent), Some(child)) = (id_of(PIPELINE), id_of(PIPELINE_RUN)) {
            let link = ParentContext {
                parent_id: Some(parent),
                child_id: Some(child),
                ..Default::default()
            };
            let request =
                PutParentContextsRequest { parent_contexts: vec![link], ..Default::default() };
            self.once(&request)?;
        }
        Ok(answer.execution_id.unwrap_or_default())
    }

    /// Makes what may be there already.
    fn once<R: Call>(&self, request: &R) -> Result<(), Refusal> {
        match self.0.call(request) {
            Err(refusal) if !refusal.is(ErrorKind::AlreadyExists) => Err(refusal),
            _ => Ok(()),
        }
    }

    fn context_type(&self, name: &str) -> Result<i64, Refusal> {
        let made = self.0.call(&PutContextTypeRequest {
            context_type: Some(ContextType { name: Some(name.to_owned()), ..Default::default() }),
            can_omit_fields: Some(true),
            ..Default::default()
        })?;
        Ok(made.type_id.unwrap_or_default())
    }

    fn artifact_type(&self, name: &str, base: &str) -> Result<i64, Refusal> {
        let base = artifact_type::SystemDefinedBaseType::from_str_name(base);
        let made = self.0.call(&PutArtifactTypeRequest {
            artifact_type: Some(ArtifactType {
                name: Some(name.to_owned()),
                base_type: base.map(i32::from).filter(|base| *base != 0),
                ..Default::default()
            }),
            can_omit_fields: Some(true),
            ..Default::default()
        })?;
        Ok(made.type_id.unwrap_or_default())
    }

    /// Changes properties, and the state, of an execution.
    pub(super) fn update(
        &self,
        id: i64,
        state: i32,
        properties: Properties,
    ) -> Result<(), Refusal> {
        let mut paths = vec!["last_known_state".to_owned()];
        paths.extend(properties.keys().map(|name| format!("custom_properties.{name}")));
        self.0.call(&PutExecutionsRequest {
            executions: vec![Execution {
                id: Some(id),
                last_known_state: Some(state),
                custom_properties: properties,
                ..Default::default()
            }],
            update_mask: Some(prost_types::FieldMask { paths }),
            ..Default::default()
        })?;
        Ok(())
    }

    /// Appends points to metrics; the same again changes nothing.
    pub(super) fn log(&self, request: &LogMetricsRequest) -> Result<(), Refusal> {
        self.0.call(request).map(|_| ())
    }

    /// Finds or makes an artifact that runs share; answers with its id.
    pub(super) fn share(&self, shared: &Shared) -> Result<i64, Refusal> {
        let external_id = format!("{}/{}", shared.type_name, shared.digest);
        if let Some(id) = self.by_external_id(&external_id)? {
            return Ok(id);
        }
        let type_id = Some(self.artifact_type(shared.type_name, "UNSET")?);
        let mut properties = shared.properties.clone();
        // Each by itself: together they may be too large.
        for (name, content) in &shared.contents {
            let request = PutContentsRequest { contents: vec![content.clone()] };
            let digest = self.0.call(&request)?.digests.pop().unwrap_or_default();
            properties.insert(name.clone(), text(digest));
        }
        let made = self.0.call(&PutArtifactsRequest {
            artifacts: vec![Artifact {
                type_id,
                external_id: Some(external_id.clone()),
                state: Some(artifact::State::Live.into()),
                custom_properties: properties,
                ..Default::default()
            }],
            ..Default::default()
        });
        match made {
            Err(refusal) if refusal.is(ErrorKind::AlreadyExists) => {
                Ok(self.by_external_id(&external_id)?.unwrap_or_default())
            }
            made => Ok(made?.artifact_ids.first().copied().unwrap_or_default()),
        }
    }

    fn by_external_id(&self, external_id: &str) -> Result<Option<i64>, Refusal> {
        let found = self.0.call(&GetArtifactsByExternalIdsRequest {
            external_ids: vec![external_id.to_owned()],
            ..Default::default()
        });
        match found {
            Err(refusal) if refusal.is(ErrorKind::NotFound) => Ok(None),
            found => Ok(found?.artifacts.first().and_then(|artifact| artifact.id)),
        }
    }

    /// Finds or makes a version; answers with the id of its artifact.
    pub(super) fn register(&self, version: &Version) -> Result<i64, Refusal> {
        let row = VERSIONED.iter().find(|(type_name, _, _)| *type_name == version.type_name);
        let (type_name, context_type, base) = row.expect("items have no other type");
        let found = self.0.call(&RegisterVersionRequest {
            artifact: Some(Artifact {
                type_id: Some(self.artifact_type(type_name, base)?),
                uri: Some(version.uri.clone()),
                state: Some(artifact::State::Live.into()),
                custom_properties: version.properties.clone(),
                ..Default::default()
            }),
            context_type_id: self.context_type(context_type)?,
            name: String::new(),
            default_name: version.name.clone(),
            digest: version.digest.clone(),
        })?;
        Ok(found.artifact_id)
    }

    /// Says that a run read or made an artifact.
    pub(super) fn link(
        &self,
        execution_id: i64,
        artifact_id: i64,
        role: &str,
        is_input: bool,
        time_ms: i64,
    ) -> Result<(), Refusal> {
        let step =
            event::path::Step { value: Some(event::path::step::Value::Key(role.to_owned())) };
        let kind = if is_input { event::Type::Input } else { event::Type::Output };
        self.once(&PutEventsRequest {
            events: vec![Event {
                artifact_id: Some(artifact_id),
                execution_id: Some(execution_id),
                path: Some(event::Path { steps: vec![step] }),
                r#type: Some(kind.into()),
                milliseconds_since_epoch: Some(time_ms),
                ..Default::default()
            }],
            ..Default::default()
        })
    }
}

/// A property that is a text.
pub(super) fn text(value: impl Into<String>) -> Value {
    Value { value: Some(value::Value::StringValue(value.into())) }
}

/// A property that is a number.
pub(super) fn int(value: i64) -> Value {
    Value { value: Some(value::Value::IntValue(value)) }
}

/// A property of the kind that its text looks like: a parameter, for instance.
pub(super) fn typed(value: &str) -> Value {
    let typed = match value {
        "true" | "True" => value::Value::BoolValue(true),
        "false" | "False" => value::Value::BoolValue(false),
        _ => match (value.parse::<i64>(), value.parse::<f64>()) {
            (Ok(number), _) => value::Value::IntValue(number),
            (Err(_), Ok(number)) if number.is_finite() => value::Value::DoubleValue(number),
            _ => value::Value::StringValue(value.to_owned()),
        },
    };
    Value { value: Some(typed) }
}

/// What a value of JSON is as a property; nothing for null, lists and objects.
pub(super) fn of_json(value: &serde_json::Value) -> Option<Value> {
    let found = match value {
        serde_json::Value::Bool(flag) => value::Value::BoolValue(*flag),
        serde_json::Value::String(text) if text.is_empty() => return None,
        serde_json::Value::String(text) => value::Value::StringValue(text.clone()),
        serde_json::Value::Number(number) => match number.as_i64() {
            Some(number) => value::Value::IntValue(number),
            None => value::Value::DoubleValue(number.as_f64()?),
        },
        _ => return None,
    };
    Some(Value { value: Some(found) })
}
