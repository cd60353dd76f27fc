//! The messages of steps: a template, the same on all sides, and a number that makes it a new step.
//! `worker.py` fills it in the same way.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use headwater_proto::ml_metadata::{
    Artifact, PutArtifactsRequest, PutExecutionRequest, Value, value,
};
use prost::Message as _;
use serde::Deserialize;

/// One call that writes.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Execution(Box<PutExecutionRequest>),
    Artifacts(PutArtifactsRequest),
}

/// What all steps of a workload have in common.
#[derive(Deserialize)]
#[serde(try_from = "Fields")]
pub(crate) struct Template {
    step: Step,
    /// How many artifacts are stored that can be inputs, from id 1 on.
    inputs: i64,
}

#[derive(Deserialize)]
struct Fields {
    method: String,
    request: String,
    inputs: i64,
}

impl TryFrom<Fields> for Template {
    type Error = String;

    fn try_from(fields: Fields) -> Result<Self, String> {
        let request = BASE64.decode(&fields.request).map_err(|e| e.to_string())?;
        let step = match fields.method.as_str() {
            "PutExecution" => {
                PutExecutionRequest::decode(&*request).map(|r| Step::Execution(Box::new(r)))
            }
            "PutArtifacts" => PutArtifactsRequest::decode(&*request).map(Step::Artifacts),
            other => return Err(format!("`{other}` puts no step")),
        };
        Ok(Self { step: step.map_err(|e| e.to_string())?, inputs: fields.inputs })
    }
}

impl Template {
    /// The step of this number.
    pub(crate) fn step(&self, number: i64) -> Step {
        let mut step = self.step.clone();
        match &mut step {
            Step::Execution(request) => self.fill(request, number),
            Step::Artifacts(request) => {
                for (artifact, at) in request.artifacts.iter_mut().zip(0..) {
                    fill_artifact(artifact, 100 * number + at);
                }
            }
        }
        step
    }

    fn fill(&self, request: &mut PutExecutionRequest, number: i64) {
        if let Some(execution) = &mut request.execution {
            fill_text(&mut execution.name, number);
            fill_values(&mut execution.properties, number);
            fill_values(&mut execution.custom_properties, number);
        }
        for pair in &mut request.artifact_event_pairs {
            if let Some(artifact) = &mut pair.artifact {
                fill_artifact(artifact, number);
            }
            if let Some(id) = pair.event.as_mut().and_then(|event| event.artifact_id.as_mut()) {
                *id = 1 + (*id + 2 * number) % self.inputs;
            }
        }
        // Ten steps are one run.
        for context in &mut request.contexts {
            fill_text(&mut context.name, number / 10);
        }
    }
}

fn fill_artifact(artifact: &mut Artifact, number: i64) {
    fill_text(&mut artifact.name, number);
    fill_text(&mut artifact.uri, number);
    fill_values(&mut artifact.properties, number);
    fill_values(&mut artifact.custom_properties, number);
}

/// A name that ends with a dash gets the number.
fn fill_text(text: &mut Option<String>, number: i64) {
    if let Some(text) = text.as_mut().filter(|text| text.ends_with('-')) {
        text.push_str(&number.to_string());
    }
}

/// Numbers grow with the step. Quarters have few decimals: the released wheel keeps six.
fn fill_values(values: &mut BTreeMap<String, Value>, number: i64) {
    for value in values.values_mut() {
        match &mut value.value {
            Some(value::Value::IntValue(value)) => *value += number,
            Some(value::Value::DoubleValue(value)) => *value += number as f64 / 4.0,
            _ => {}
        }
    }
}
