//! Checks of messages alone. Pure: a message goes in, `Ok` or `INVALID_ARGUMENT` comes out.

use std::collections::HashSet;

use headwater_proto::headwater::v1::{
    BeginStepRequest, ExplainStepRequest, FinishStepRequest, ForgetStepsRequest, GetContentRequest,
    GetMetricsRequest, ListArtifactsRequest, ListContentsRequest, ListContextsRequest,
    ListExecutionsRequest, LogMetricsRequest, MetricSeries, PutContentsRequest,
    RegisterVersionRequest, TraceLineageRequest,
};
#[allow(clippy::wildcard_imports)]
use headwater_proto::ml_metadata::*;

use crate::error::{Error, ErrorKind, Result, already_exists, invalid, names, unimplemented};
use crate::kinds::{Node, NodeType};
use crate::limits::{
    CONTENT_BYTES_MAX, CONTENTS_LISTED_MAX, LINKS_MAX, METRIC_NAME_BYTES_MAX, METRIC_POINTS_LEAST,
    METRIC_WRITER_BYTES_MAX, STEP_CLAIMANT_BYTES_MAX, STEP_LEASE_MS, STEP_NAME_BYTES_MAX,
    STEP_PART_BYTES_MAX, STEP_PARTS_MAX, STRUCT_TYPE_DEPTH_MAX, VERSION_DIGEST_BYTES_MAX,
    VERSION_NAME_BYTES_MAX,
};
use crate::ops::types::{Evolution, KnownType};

/// What a request can be checked for before a transaction begins.
pub trait Validate {
    /// Checks the message.
    fn validate(&self) -> Result<()> {
        Ok(())
    }

    /// Checks the encoded message for what decoding loses.
    fn validate_wire(_: &[u8]) -> Result<()> {
        Ok(())
    }
}

macro_rules! all_fields_must_match {
    ($($request:ident)*) => {$(
        impl Validate for $request {
            fn validate(&self) -> Result<()> {
                #[allow(deprecated)]
                if self.all_fields_match() {
                    return Ok(());
                }
                Err(unimplemented("`all_fields_match` can only be true")
                    .hint("leave it out; use `can_omit_fields` to put fewer properties"))
            }
        }
    )*};
}

all_fields_must_match! {
    PutTypesRequest PutArtifactTypeRequest PutExecutionTypeRequest PutContextTypeRequest
}

impl Validate for GetArtifactsByUriRequest {
    /// Clients before 0.21 send one URI in field 1; it must not look like an empty request.
    fn validate_wire(mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            let (tag, wire_type) = prost::encoding::decode_key(&mut bytes)
                .map_err(|e| invalid(format!("the request cannot be decoded: {e}")))?;
            if tag == 1 {
                return Err(invalid("the request has its URI in field 1, which is gone")
                    .hint("use a client newer than 0.21, which sends `uris`"));
            }
            let context = prost::encoding::DecodeContext::default();
            prost::encoding::skip_field(wire_type, tag, &mut bytes, context)
                .map_err(|e| invalid(format!("the request cannot be decoded: {e}")))?;
        }
        Ok(())
    }
}

impl Validate for PutLineageSubgraphRequest {
    fn validate(&self) -> Result<()> {
        for (at, edge) in self.event_edges.iter().enumerate() {
            event_edge(self, at, edge)?;
        }
        links(self.contexts.len(), self.artifacts.len() + self.executions.len())
    }
}

impl Validate for PutExecutionRequest {
    fn validate(&self) -> Result<()> {
        if self.execution.is_none() {
            return Err(invalid("the request has no execution"));
        }
        let empty = self
            .artifact_event_pairs
            .iter()
            .position(|pair| pair.artifact.is_none() && pair.event.is_none());
        match empty {
            Some(at) if !self.contexts.is_empty() => Err(invalid(format!(
                "artifact_event_pairs[{at}] is empty, so it cannot belong to the contexts"
            ))
            .hint("leave the pair out")),
            _ => links(self.contexts.len(), self.artifact_event_pairs.len() + 1),
        }
    }
}

/// Every node of the request is linked with every context of it.
fn links(n_contexts: usize, n_nodes: usize) -> Result<()> {
    if n_contexts.saturating_mul(n_nodes) <= LINKS_MAX {
        return Ok(());
    }
    Err(invalid(format!(
        "{n_contexts} contexts with {n_nodes} nodes are more than {LINKS_MAX} links"
    ))
    .hint("send the nodes in several requests"))
}

impl Validate for LogMetricsRequest {
    fn validate(&self) -> Result<()> {
        if self.writer.is_empty() || self.writer.len() > METRIC_WRITER_BYTES_MAX {
            return Err(invalid(format!(
                "writer has {} bytes, but must have 1 to {METRIC_WRITER_BYTES_MAX}",
                self.writer.len()
            ))
            .hint("use a random name for each process, such as a UUID"));
        }
        if self.sequence < 1 {
            return Err(invalid(format!("sequence is {}, but begins with 1", self.sequence)));
        }
        let mut seen = HashSet::new();
        for series in &self.series {
            metric_series(series)?;
            if !seen.insert(&series.name) {
                return Err(invalid(format!("the metric `{}` is there twice", series.name)));
            }
        }
        Ok(())
    }
}

fn metric_series(series: &MetricSeries) -> Result<()> {
    let name = &series.name;
    if name.is_empty() || name.len() > METRIC_NAME_BYTES_MAX {
        return Err(invalid(format!(
            "the name of a metric has {} bytes, but must have 1 to {METRIC_NAME_BYTES_MAX}",
            name.len()
        )));
    }
    if let Some(suffix) = [".min", ".max", ".step"].iter().find(|suffix| name.ends_with(**suffix)) {
        return Err(invalid(format!("the metric `{name}` is named like a summary"))
            .hint(format!("`{suffix}` is added by the store; call it something else")));
    }
    let lengths = [series.steps.len(), series.times_ms.len(), series.values.len()];
    if lengths.iter().any(|length| *length != lengths[0]) {
        return Err(invalid(format!(
            "the metric `{name}` has {} steps, {} times and {} values; each point has one of each",
            lengths[0], lengths[1], lengths[2]
        )));
    }
    Ok(())
}

impl Validate for GetMetricsRequest {
    fn validate(&self) -> Result<()> {
        let least = METRIC_POINTS_LEAST as i32;
        if self.points_max == 0 || self.points_max >= least {
            return Ok(());
        }
        Err(invalid(format!("points_max is {}, but is 0 or at least {least}", self.points_max)))
    }
}

impl Validate for RegisterVersionRequest {
    fn validate(&self) -> Result<()> {
        if self.artifact.is_none() {
            return Err(invalid("the request has no artifact"));
        }
        let (field, name) = match &*self.name {
            "" => ("default_name", &self.default_name),
            _ => ("name", &self.name),
        };
        length(field, name, VERSION_NAME_BYTES_MAX)?;
        if name.contains('@') {
            return Err(invalid(format!("the name `{name}` has an `@` in it"))
                .hint("the store adds `@` and the number of the version"));
        }
        length("digest", &self.digest, VERSION_DIGEST_BYTES_MAX)
    }
}

impl Validate for PutContentsRequest {
    fn validate(&self) -> Result<()> {
        if self.contents.len() > CONTENTS_LISTED_MAX {
            return Err(invalid(format!("there are more than {CONTENTS_LISTED_MAX} contents"))
                .hint("put them in several requests"));
        }
        let bytes: usize = self.contents.iter().map(Vec::len).sum();
        if bytes <= CONTENT_BYTES_MAX {
            return Ok(());
        }
        Err(invalid(format!("the contents have more than {} MiB", CONTENT_BYTES_MAX >> 20))
            .hint("put them in several requests; what is larger belongs into files"))
    }
}

impl Validate for ListContentsRequest {
    fn validate(&self) -> Result<()> {
        if self.digests.len() <= CONTENTS_LISTED_MAX {
            return Ok(());
        }
        Err(invalid(format!("there are more than {CONTENTS_LISTED_MAX} digests"))
            .hint("ask in several requests"))
    }
}

impl Validate for BeginStepRequest {
    fn validate(&self) -> Result<()> {
        length("name", &self.name, STEP_NAME_BYTES_MAX)?;
        length("claimant", &self.claimant, STEP_CLAIMANT_BYTES_MAX)?;
        if !STEP_LEASE_MS.contains(&self.lease_ms) {
            let (least, most) = (STEP_LEASE_MS.start(), STEP_LEASE_MS.end());
            return Err(invalid(format!(
                "lease_ms is {}, but must be {least} to {most}",
                self.lease_ms
            )));
        }
        if self.parts.len() > STEP_PARTS_MAX {
            return Err(invalid(format!("the step has more than {STEP_PARTS_MAX} parts"))
                .hint("put a digest of many values into one part"));
        }
        for (name, value) in &self.parts {
            length("name of a part", name, STEP_PART_BYTES_MAX)?;
            if value.len() > STEP_PART_BYTES_MAX {
                return Err(invalid(format!(
                    "the part `{name}` has {} bytes, but may have {STEP_PART_BYTES_MAX}",
                    value.len()
                ))
                .hint("use a digest of the value"));
            }
        }
        Ok(())
    }
}

impl Validate for ForgetStepsRequest {
    fn validate(&self) -> Result<()> {
        if self.fingerprint.is_empty() == self.name.is_empty() {
            return Err(invalid("the request needs either a fingerprint or a name"));
        }
        Ok(())
    }
}

/// Checks that a text is there and not too long.
fn length(what: &str, text: &str, most: usize) -> Result<()> {
    if !text.is_empty() && text.len() <= most {
        return Ok(());
    }
    Err(invalid(format!("{what} has {} bytes, but must have 1 to {most}", text.len())))
}

macro_rules! nothing_to_check {
    ($($request:ident)*) => {$(impl Validate for $request {})*};
}

// A request that is not here and has no checks of its own does not compile in `methods.rs`.
nothing_to_check! {
    PutArtifactsRequest PutExecutionsRequest PutContextsRequest PutEventsRequest
    PutAttributionsAndAssociationsRequest PutParentContextsRequest
    GetArtifactTypeRequest GetArtifactTypesByIdRequest GetArtifactTypesRequest
    GetExecutionTypeRequest GetExecutionTypesByIdRequest GetExecutionTypesRequest
    GetContextTypeRequest GetContextTypesByIdRequest GetContextTypesRequest
    GetArtifactsRequest GetExecutionsRequest GetContextsRequest
    GetArtifactsByIdRequest GetExecutionsByIdRequest GetContextsByIdRequest
    GetArtifactsByTypeRequest GetExecutionsByTypeRequest GetContextsByTypeRequest
    GetArtifactByTypeAndNameRequest GetExecutionByTypeAndNameRequest
    GetContextByTypeAndNameRequest
    GetEventsByExecutionIDsRequest GetEventsByArtifactIDsRequest
    GetArtifactsByExternalIdsRequest GetExecutionsByExternalIdsRequest
    GetContextsByExternalIdsRequest
    GetArtifactTypesByExternalIdsRequest GetExecutionTypesByExternalIdsRequest
    GetContextTypesByExternalIdsRequest
    GetContextsByArtifactRequest GetContextsByExecutionRequest
    GetParentContextsByContextRequest GetChildrenContextsByContextRequest
    GetParentContextsByContextsRequest GetChildrenContextsByContextsRequest
    GetArtifactsByContextRequest GetExecutionsByContextRequest
    GetLineageGraphRequest GetLineageSubgraphRequest
    ListArtifactsRequest ListExecutionsRequest ListContextsRequest TraceLineageRequest
    GetContentRequest FinishStepRequest ExplainStepRequest
}

fn event_edge(
    request: &PutLineageSubgraphRequest,
    at: usize,
    edge: &put_lineage_subgraph_request::EventEdge,
) -> Result<()> {
    let Some(event) = &edge.event else {
        return Err(invalid(format!("event_edges[{at}] has no event")));
    };
    let execution = |index| request.executions.get(index).map(|node: &Execution| node.id);
    let n_executions = request.executions.len();
    let named = (edge.execution_index, event.execution_id);
    edge_end(at, "execution", named, n_executions, execution)?;
    let artifact = |index| request.artifacts.get(index).map(|node: &Artifact| node.id);
    let named = (edge.artifact_index, event.artifact_id);
    edge_end(at, "artifact", named, request.artifacts.len(), artifact)
}

/// One end of an edge: an index into the request's nodes, an id, or both where they agree.
fn edge_end(
    at: usize,
    noun: &str,
    (index, id): (Option<i32>, Option<i64>),
    n_nodes: usize,
    node: impl Fn(usize) -> Option<Option<i64>>,
) -> Result<()> {
    let Some(index) = index else {
        return match id {
            Some(_) => Ok(()),
            None => Err(invalid(format!("event_edges[{at}] names no {noun}"))
                .hint(format!("set `{noun}_index` or `event.{noun}_id`"))),
        };
    };
    let Some(node_id) = usize::try_from(index).ok().and_then(node) else {
        return Err(Error::new(
            ErrorKind::OutOfRange,
            format!("{noun}_index {index} of event_edges[{at}] lies outside the {n_nodes} {noun}s"),
        ));
    };
    match (node_id, id) {
        (_, None) => Ok(()),
        (Some(node_id), Some(id)) if node_id == id => Ok(()),
        (Some(node_id), Some(id)) => Err(invalid(format!(
            "event_edges[{at}] says {noun} {id}, but its {noun}_index points at {noun} {node_id}"
        ))),
        (None, Some(id)) => Err(invalid(format!(
            "event_edges[{at}] says {noun} {id}, but its {noun}_index points at a new {noun}"
        ))),
    }
}

/// A type that is to be made: it has a name, and its properties have types.
pub(crate) fn new_type<T: NodeType>(put: &T) -> Result<()> {
    if put.name().is_empty() {
        return Err(invalid(format!("the {} type has no name", T::KIND.noun)));
    }
    for (name, data_type) in put.properties() {
        property_type(put.name(), name, *data_type)?;
    }
    for struct_type in put.struct_types().into_iter().flatten() {
        struct_type_depth(struct_type, STRUCT_TYPE_DEPTH_MAX)?;
    }
    Ok(())
}

fn property_type(type_name: &str, property: &str, data_type: i32) -> Result<()> {
    match PropertyType::try_from(data_type) {
        Ok(PropertyType::Unknown) => {
            Err(invalid(format!("property `{property}` of type `{type_name}` is UNKNOWN")))
        }
        Ok(_) => Ok(()),
        Err(_) => Err(invalid(format!(
            "property `{property}` of type `{type_name}` has type number {data_type}, \
             which does not exist"
        ))),
    }
}

fn struct_type_depth(struct_type: &ArtifactStructType, left: usize) -> Result<()> {
    use artifact_struct_type::Kind;
    if left == 0 {
        return Err(invalid(format!(
            "a struct type is nested deeper than {STRUCT_TYPE_DEPTH_MAX} levels"
        )));
    }
    let mut inner: Vec<&ArtifactStructType> = Vec::new();
    match &struct_type.kind {
        Some(Kind::UnionType(union)) => inner.extend(&union.candidates),
        Some(Kind::Intersection(intersection)) => inner.extend(&intersection.constraints),
        Some(Kind::List(list)) => inner.extend(list.element.as_deref()),
        Some(Kind::Tuple(tuple)) => inner.extend(&tuple.elements),
        Some(Kind::Dict(dict)) => {
            inner.extend(dict.properties.values());
            inner.extend(dict.extra_properties_type.as_deref());
        }
        Some(Kind::Simple(_) | Kind::None(_) | Kind::Any(_)) | None => {}
    }
    inner.into_iter().try_for_each(|inner| struct_type_depth(inner, left - 1))
}

/// The properties that `put` adds to the stored type, or `ALREADY_EXISTS` naming the properties
/// in which the two differ more than `evolution` allows.
pub(crate) fn type_change<'p, T: NodeType>(
    stored: &T,
    put: &'p T,
    evolution: Evolution,
) -> Result<Vec<(&'p String, &'p i32)>> {
    let exists = |what: String| {
        already_exists(format!(
            "{} type `{}` already exists with different properties: {what}",
            T::KIND.noun,
            put.name()
        ))
    };
    let mut omitted = Vec::new();
    for (name, data_type) in stored.properties() {
        match put.properties().get(name) {
            None => omitted.push(name),
            Some(other) if other != data_type => {
                return Err(exists(format!(
                    "`{name}` is {}, not {}",
                    type_name(*data_type),
                    type_name(*other)
                )));
            }
            Some(_) => {}
        }
    }
    if !omitted.is_empty() && !evolution.can_omit_fields {
        return Err(exists(format!("{} is missing", names(omitted.into_iter())))
            .hint("set `can_omit_fields` to put the type without it"));
    }
    let added: Vec<_> = put
        .properties()
        .iter()
        .filter(|(name, _)| !stored.properties().contains_key(*name))
        .collect();
    if !added.is_empty() && !evolution.can_add_fields {
        let names: Vec<String> = added.iter().map(|(name, _)| format!("`{name}`")).collect();
        return Err(
            exists(format!("{} is new", names.join(", "))).hint("set `can_add_fields` to add it")
        );
    }
    for (name, data_type) in &added {
        property_type(put.name(), name, **data_type)?;
    }
    Ok(added)
}

fn type_name(data_type: i32) -> &'static str {
    PropertyType::try_from(data_type).map_or("of an unknown type", |known| known.as_str_name())
}

/// The name of the system type that a type is to be based on, if its message says so.
pub(crate) fn base_type<T: NodeType>(put: &T) -> Result<Option<&'static str>> {
    let Some(number) = put.base_type() else { return Ok(None) };
    match usize::try_from(number).ok().and_then(|at| T::KIND.base_types.get(at)) {
        Some(&"") => {
            Err(unimplemented(format!("the base type of type `{}` cannot be removed", put.name()))
                .hint("leave `base_type` out to keep it"))
        }
        Some(base) => Ok(Some(base)),
        None => Err(invalid(format!("base_type {number} of type `{}` does not exist", put.name()))),
    }
}

/// External ids to look up: none of them may be empty.
pub(crate) fn external_ids(external_ids: &[String]) -> Result<()> {
    if external_ids.iter().any(String::is_empty) {
        return Err(invalid("one of the external ids is empty"));
    }
    Ok(())
}

/// What an update names of a node: everything, or the paths of a mask.
///
/// A mask path is a field, `properties` or `custom_properties` for a whole map, or
/// `properties.NAME` for one entry. Unknown paths are ignored, as MLMD does.
#[derive(Debug, Default)]
pub(crate) struct Mask<'m> {
    is_masked: bool,
    fields: Vec<&'m str>,
    /// The entries of `properties` and of `custom_properties`.
    maps: [Covered<'m>; 2],
}

/// The entries of a map that a mask names.
#[derive(Debug)]
enum Covered<'m> {
    All,
    Some(HashSet<&'m str>),
}

impl Default for Covered<'_> {
    /// A mask without paths is no mask.
    fn default() -> Self {
        Covered::All
    }
}

impl<'m> Covered<'m> {
    fn add(&mut self, rest: &'m str) {
        match (self, rest.strip_prefix('.')) {
            (Covered::Some(names), Some(name)) => drop(names.insert(name)),
            (all, None) if rest.is_empty() => *all = Covered::All,
            _ => {}
        }
    }
}

impl<'m> Mask<'m> {
    pub(crate) fn new(paths: &'m [String]) -> Self {
        if paths.is_empty() {
            return Self::default();
        }
        let none = || Covered::Some(HashSet::new());
        let mut mask = Self { is_masked: true, fields: Vec::new(), maps: [none(), none()] };
        for path in paths {
            if let Some(rest) = path.strip_prefix("properties") {
                mask.maps[0].add(rest);
            } else if let Some(rest) = path.strip_prefix("custom_properties") {
                mask.maps[1].add(rest);
            } else {
                mask.fields.push(path);
            }
        }
        mask
    }

    /// Whether the update is not masked at all.
    pub(crate) fn is_everything(&self) -> bool {
        !self.is_masked
    }

    /// Paths of plain fields.
    pub(crate) fn fields(&self) -> impl Iterator<Item = &'m str> {
        self.fields.iter().copied()
    }

    /// Whether the update touches this entry of `properties`, or of `custom_properties`.
    pub(crate) fn covers(&self, is_custom: bool, property: &str) -> bool {
        match &self.maps[usize::from(is_custom)] {
            Covered::All => true,
            Covered::Some(names) => names.contains(property),
        }
    }
}

/// The properties of a node against its type. `None` means that the type has no such property.
pub(crate) fn properties<N: Node>(
    node: &N,
    known: &KnownType,
    mask: &Mask<'_>,
) -> Result<Option<()>> {
    for (name, value) in node.properties() {
        if !mask.covers(false, name) {
            continue;
        }
        let Some(data_type) = known.properties.get(name) else { return Ok(None) };
        if value_type(value) as i32 != *data_type || value.value.is_none() {
            return Err(invalid(format!(
                "property `{name}` of type `{}` is {}, but the value is {}",
                known.name,
                type_name(*data_type),
                value_name(value)
            )));
        }
    }
    for (name, value) in node.custom_properties() {
        if mask.covers(true, name) && value.value.is_none() {
            return Err(invalid(format!("custom property `{name}` has no value"))
                .hint("set one of its value fields, or leave the property out"));
        }
    }
    Ok(Some(()))
}

/// The first property of a node that its type does not have.
pub(crate) fn unknown_property<N: Node>(node: &N, known: &KnownType, mask: &Mask<'_>) -> Error {
    let name = node
        .properties()
        .keys()
        .find(|name| mask.covers(false, name) && !known.properties.contains_key(*name));
    let name = name.map_or("", String::as_str);
    let expected = names(known.properties.keys());
    let hint = if expected.is_empty() {
        "the type has none; use `custom_properties`, or add it to the type".to_owned()
    } else {
        format!("it has {expected}; use `custom_properties` for others")
    };
    invalid(format!("type `{}` has no property `{name}`", known.name)).hint(hint)
}

fn value_type(value: &Value) -> PropertyType {
    match &value.value {
        None => PropertyType::Unknown,
        Some(value::Value::IntValue(_)) => PropertyType::Int,
        Some(value::Value::DoubleValue(_)) => PropertyType::Double,
        Some(value::Value::StringValue(_)) => PropertyType::String,
        Some(value::Value::StructValue(_)) => PropertyType::Struct,
        Some(value::Value::ProtoValue(_)) => PropertyType::Proto,
        Some(value::Value::BoolValue(_)) => PropertyType::Boolean,
    }
}

fn value_name(value: &Value) -> &'static str {
    if value.value.is_none() { "not set" } else { value_type(value).as_str_name() }
}

/// The plain fields of a node that is to be made or changed.
pub(crate) fn node_fields<N: Node>(node: &N) -> Result<()> {
    match node.unknown_state() {
        Some(state) => {
            Err(invalid(format!("state {state} of the {} does not exist", N::KIND.noun)))
        }
        None => Ok(()),
    }
}

/// A context has a name.
pub(crate) fn context_name(name: Option<&str>) -> Result<()> {
    match name {
        Some(name) if !name.is_empty() => Ok(()),
        _ => Err(invalid("the context has no name")),
    }
}

/// An event has both ends and a type.
pub(crate) fn event(event: &Event) -> Result<()> {
    if event.artifact_id.is_none() {
        return Err(invalid("the event has no artifact_id"));
    }
    if event.execution_id.is_none() {
        return Err(invalid("the event has no execution_id"));
    }
    match event.r#type.map(event::Type::try_from) {
        None | Some(Ok(event::Type::Unknown)) => Err(invalid("the event has no type")),
        Some(Ok(_)) => Ok(()),
        Some(Err(_)) => {
            Err(invalid(format!("event type {} does not exist", event.r#type.unwrap_or_default())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_covers_fields_maps_and_entries() {
        let paths = |paths: &[&str]| paths.iter().map(|&path| path.to_owned()).collect::<Vec<_>>();
        let whole = paths(&["state", "properties"]);
        assert!(Mask::new(&whole).covers(false, "a"));
        assert!(!Mask::new(&whole).covers(true, "a"));
        assert_eq!(Mask::new(&whole).fields().collect::<Vec<_>>(), ["state"]);
        let entry = paths(&["properties.a.b", "custom_properties.c", "propertiesx"]);
        assert!(Mask::new(&entry).covers(false, "a.b"));
        assert!(!Mask::new(&entry).covers(false, "a"));
        assert!(Mask::new(&entry).covers(true, "c"));
        assert!(!Mask::new(&entry).is_everything());
        let both = paths(&["properties", "custom_properties"]);
        assert!(!Mask::new(&both).is_everything());
        assert!(Mask::new(&[]).is_everything() && Mask::new(&[]).covers(false, "anything"));
    }
}
