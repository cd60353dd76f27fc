//! Filters and orders: what they find, in the contract and in `headwater.v1`.

use headwater_proto::headwater::v1::{ListArtifactsRequest, ListContextsRequest};
use headwater_proto::ml_metadata::list_operation_options::OrderByField;
use headwater_proto::ml_metadata::list_operation_options::order_by_field::Field;
use headwater_proto::ml_metadata::put_execution_request::ArtifactAndEvent;
use headwater_proto::ml_metadata::{
    Artifact, Event, GetArtifactsRequest, ListOperationOptions, PutArtifactsRequest,
    PutExecutionRequest, Value, artifact::State, event,
};
use headwater_store::ErrorKind::InvalidArgument;

use super::{
    Fresh, Random, artifact, behaviours, boolean, context, double, execution, int, named_artifact,
    properties, text,
};

behaviours! {
    a_property_that_is_mentioned_must_be_there_in_the_contract
    what_a_node_does_not_have_is_null_in_our_own_language
    a_state_that_is_not_another_may_be_none
    names_and_literals_are_data
    strings_that_a_column_cannot_say_compare_as_themselves
    a_nan_compares_with_nothing
    numbers_compare_whatever_their_type
    a_filter_that_is_too_long_or_too_deep_is_refused
    as_many_neighbours_as_a_filter_may_mention
    many_conditions_are_no_deep_condition
    few_and_many_matches_are_found_alike
    uris_that_begin_alike_are_found_whatever_the_case_of_their_letters
    the_union_of_filtered_pages_is_the_set
    a_list_is_ordered_by_any_value_with_those_without_one_last
    pages_in_the_order_of_values_leave_nothing_out
    lineage_is_a_condition
    hops_limit_a_lineage_condition
    a_computation_without_a_result_is_the_callers_mistake
    functions_have_the_same_corner_cases_everywhere
    texts_are_characters_in_functions_and_orders
}

fn options(filter: &str) -> ListOperationOptions {
    ListOperationOptions {
        filter_query: Some(filter.to_owned()),
        max_result_size: Some(10_000),
        ..ListOperationOptions::default()
    }
}

fn names(artifacts: &[Artifact]) -> Vec<&str> {
    artifacts.iter().map(Artifact::name).collect()
}

fn uris_that_begin_alike_are_found_whatever_the_case_of_their_letters(fresh: &Fresh) {
    let type_id = fresh.artifact_type("A");
    let put = |uris: Vec<String>| {
        let artifacts = uris.into_iter().map(|uri| {
            let name = Some(format!("{}-{uri}", uri.len()));
            Artifact { uri: Some(uri), name, ..artifact(type_id) }
        });
        let artifacts = artifacts.collect();
        fresh.call(PutArtifactsRequest { artifacts, ..Default::default() });
    };
    let some = ["s3://B/x", "S3://b/X/1", "s3://b", "s3:/b/x", "s3://b/\u{e9}", "{}~", "s3://b_/x"];
    put(some.map(str::to_owned).to_vec());
    let both = |pattern: &str| {
        let found = find(fresh, &format!("uri LIKE '{pattern}'"));
        // What is negated is not looked for in an index.
        assert_eq!(found, find(fresh, &format!("NOT (NOT (uri LIKE '{pattern}'))")), "{pattern}");
        found.len()
    };
    let patterns =
        ["s3://b/x%", "S3://B%", "s3://b", "s3://b_/%", "s3%x", "%x", "\u{e9}%", "{}~%", ""];
    assert_eq!(patterns.map(both), [2, 5, 1, 1, 3, 3, 0, 1, 0]);
    let either = "uri LIKE 's3://b/x%' OR uri LIKE 's3:/b%'";
    assert_eq!(find(fresh, either).len(), 3);
    // More ways to write it than are followed.
    let mut random = Random::new(7);
    let mut any_case = |letter: char| match random.below(2) {
        0 => letter,
        _ => letter.to_ascii_uppercase(),
    };
    let uris = (0..2500).map(|at| {
        format!("{}{at}", "abcdefghijklmnop".chars().map(&mut any_case).collect::<String>())
    });
    put(uris.collect());
    assert_eq!(both("abcdefghijklmnop%"), 2500);
    assert_eq!(both("ABCDEFGHIJKLMNOP77%"), 11);
}

/// What the contract's filter finds.
fn find(fresh: &Fresh, filter: &str) -> Vec<Artifact> {
    let request = GetArtifactsRequest { options: Some(options(filter)), ..Default::default() };
    fresh.call(request).artifacts
}

fn own(filter: &str, order_by: &str) -> ListArtifactsRequest {
    ListArtifactsRequest {
        filter: filter.to_owned(),
        order_by: order_by.to_owned(),
        page_size: 10_000,
        ..ListArtifactsRequest::default()
    }
}

/// What a filter of `headwater.v1` finds.
fn list(fresh: &Fresh, filter: &str) -> Vec<Artifact> {
    fresh.call(own(filter, "")).artifacts
}

#[track_caller]
fn assert_both(fresh: &Fresh, filter: &str, expected: &[&str]) {
    assert_eq!(names(&find(fresh, filter)), expected, "contract: {filter}");
    assert_eq!(names(&list(fresh, filter)), expected, "own: {filter}");
}

fn with(type_id: i64, name: &str, property: &str, value: Value) -> Artifact {
    Artifact { custom_properties: properties([(property, value)]), ..named_artifact(type_id, name) }
}

fn a_property_that_is_mentioned_must_be_there_in_the_contract(fresh: &Fresh) {
    let type_id = fresh.artifact_type("A");
    fresh.artifacts([named_artifact(type_id, "a"), with(type_id, "b", "x", int(1))]);
    let either = "name = 'a' OR custom_properties.x.int_value = 1";
    assert_eq!(names(&find(fresh, either)), ["b"]);
    assert_eq!(names(&find(fresh, "custom_properties.x.int_value IS NULL")), [""; 0]);
    assert_eq!(names(&find(fresh, "custom_properties.x.string_value IS NULL")), ["b"]);
    assert_eq!(names(&find(fresh, "name = 'a' OR contexts_c.name = 'c'")), [""; 0]);
}

fn what_a_node_does_not_have_is_null_in_our_own_language(fresh: &Fresh) {
    let type_id = fresh.artifact_type("A");
    fresh.artifacts([named_artifact(type_id, "a"), with(type_id, "b", "x", int(1))]);
    assert_eq!(names(&list(fresh, "name = 'a' OR custom_properties.x = 1")), ["a", "b"]);
    assert_eq!(names(&list(fresh, "custom_properties.x IS NULL")), ["a"]);
    assert_eq!(names(&list(fresh, "custom_properties.x IS NOT NULL")), ["b"]);
    assert_eq!(names(&list(fresh, "contexts_c.name IS NULL")), ["a", "b"]);
    assert_eq!(names(&list(fresh, "name = 'a' OR contexts_c.name = 'c'")), ["a"]);
    assert_eq!(names(&list(fresh, "COALESCE(custom_properties.x.int_value, 0) = 0")), ["a"]);
}

fn a_state_that_is_not_another_may_be_none(fresh: &Fresh) {
    let type_id = fresh.artifact_type("A");
    let live = Artifact { state: Some(State::Live as i32), ..named_artifact(type_id, "live") };
    let gone = Artifact { state: Some(State::Abandoned as i32), ..named_artifact(type_id, "gone") };
    fresh.artifacts([live, gone, named_artifact(type_id, "none")]);
    assert_both(fresh, "state != LIVE", &["gone", "none"]);
    assert_both(fresh, "NOT state = LIVE", &["gone"]);
    assert_both(fresh, "state NOT IN (LIVE, ABANDONED)", &["none"]);
    assert_both(fresh, "NOT state IN (LIVE)", &["gone"]);
    assert_both(fresh, "state = LIVE OR state = LIVE", &["live"]);
    assert_both(fresh, "state = ABANDONED", &["gone"]);
    assert_both(fresh, "state = 2", &["live"]);
}

fn names_and_literals_are_data(fresh: &Fresh) {
    let type_id = fresh.artifact_type("A");
    let odd = [
        "it's",
        "\"",
        "`",
        "\\",
        "a;b",
        "--",
        "/*",
        "%",
        "_",
        "a\0b",
        "\n",
        "名前",
        "😀",
        "' OR 1=1",
        "\" OR 1=1 --",
        "name",
        "Upper",
    ];
    let artifacts = odd.map(|odd| with(type_id, odd, odd, text(odd)));
    fresh.artifacts(artifacts);
    fresh.artifacts([with(type_id, "other", "other", text("other"))]);
    for odd in odd {
        let escaped: String = odd.chars().map(|c| format!("\\U{:08x}", u32::from(c))).collect();
        assert_both(fresh, &format!("name = '{escaped}'"), &[odd]);
        let property = format!("custom_properties.`{escaped}`.string_value = \"{escaped}\"");
        assert_both(fresh, &property, &[odd]);
        assert_both(fresh, &format!("custom_properties.`{escaped}`.string_value != ''"), &[odd]);
    }
    assert_both(fresh, "custom_properties.Upper.string_value = 'Upper'", &["Upper"]);
    assert_both(fresh, "custom_properties.upper.string_value = 'Upper'", &[]);
}

fn strings_that_a_column_cannot_say_compare_as_themselves(fresh: &Fresh) {
    let type_id = fresh.artifact_type("A");
    let odd = ["__MLMD_NULL__", "mlmd-struct::x", " mlmd-struct::x", "plain"];
    fresh.artifacts(odd.map(|odd| with(type_id, odd, "x", text(odd))));
    for odd in odd {
        assert_both(fresh, &format!("custom_properties.x.string_value = '{odd}'"), &[odd]);
        assert_both(fresh, &format!("custom_properties.x.string_value IN ('{odd}')"), &[odd]);
    }
    assert_both(fresh, "custom_properties.x.string_value LIKE 'mlmd%'", &["mlmd-struct::x"]);
    assert_both(fresh, "custom_properties.x.string_value < ' n'", &[" mlmd-struct::x"]);
}

fn a_nan_compares_with_nothing(fresh: &Fresh) {
    let type_id = fresh.artifact_type("A");
    fresh.artifacts([
        with(type_id, "nan", "x", double(f64::NAN)),
        with(type_id, "inf", "x", double(f64::INFINITY)),
        with(type_id, "one", "x", double(1.0)),
    ]);
    assert_both(fresh, "custom_properties.x.double_value > 0.5", &["inf", "one"]);
    assert_both(fresh, "custom_properties.x.double_value >= 1e999", &["inf"]);
    assert_both(fresh, "custom_properties.x.double_value != 1", &["inf"]);
    assert_both(fresh, "custom_properties.x.double_value + 1 > 0", &["inf", "one"]);
    assert_both(fresh, "custom_properties.x.double_value IS NOT NULL", &["nan", "inf", "one"]);
}

fn numbers_compare_whatever_their_type(fresh: &Fresh) {
    let type_id = fresh.artifact_type("A");
    fresh.artifacts([
        with(type_id, "int", "x", int(2)),
        with(type_id, "double", "x", double(2.5)),
        with(type_id, "text", "x", text("2")),
    ]);
    assert_eq!(names(&list(fresh, "custom_properties.x >= 2")), ["int", "double"]);
    assert_eq!(names(&list(fresh, "custom_properties.x BETWEEN 2.1 AND 3")), ["double"]);
    assert_eq!(names(&list(fresh, "custom_properties.x IN (2, 2.5)")), ["int", "double"]);
    assert_eq!(names(&list(fresh, "custom_properties.x = '2'")), ["text"]);
    assert_eq!(names(&list(fresh, "LENGTH(custom_properties.x) = 1")), ["text"]);
    assert_eq!(names(&list(fresh, "MOD(custom_properties.x, 2) = 0")), ["int"]);
    let refused = fresh.refused(
        InvalidArgument,
        GetArtifactsRequest {
            options: Some(options("custom_properties.x >= 2")),
            ..Default::default()
        },
    );
    assert!(refused.to_string().contains("custom_properties.x.int_value"), "{refused}");
}

fn a_filter_that_is_too_long_or_too_deep_is_refused(fresh: &Fresh) {
    fresh.artifacts([artifact(fresh.artifact_type("A"))]);
    let deep = |before: &str, behind: &str, n: usize| {
        format!("{}id = 1{}", before.repeat(n), behind.repeat(n))
    };
    for filter in [
        deep("(", ")", 1_000),
        deep("NOT ", "", 5_000),
        deep("-", "", 20_000),
        deep("- ", "", 10_000),
        deep("", " + 1", 10_000),
        deep("CASE WHEN ", " THEN TRUE END", 1_000),
        deep("COALESCE(", ", 1)", 1_000),
        "(".repeat(60_000),
        format!("name = '{}'", "x".repeat(100_000)),
        format!("id = 1 OR {}", "IF(id = 1, ".repeat(2_000)),
    ] {
        let shown = &filter[..30];
        let request =
            || GetArtifactsRequest { options: Some(options(&filter)), ..Default::default() };
        let error = fresh.refused(InvalidArgument, request());
        assert!(error.to_string().len() < 4_000, "{shown}");
    }
    // What is bound is limited, too, and what is computed.
    for filter in [
        format!("properties.a IN (1.5{})", ", 1".repeat(31_000)),
        format!("id{} = 1", " ^ 1".repeat(60)),
        format!("{}name{} = 'x'", "REPLACE(".repeat(9), ", '', 'xxxxxxxxxx')".repeat(9)),
    ] {
        let error = fresh.store.call(&own(&filter, ""));
        assert!(error.is_ok() || error.is_err_and(|e| e.kind() == InvalidArgument));
    }
    fresh.call(own(&format!("properties.a IN (1.5{})", ", 1".repeat(20_000)), ""));
    for (before, behind) in [("(", ")"), ("NOT NOT ", ""), ("", " + 0")] {
        let n = 90 / (1 + before.matches("NOT").count());
        assert_eq!(find(fresh, &deep(before, behind, n)).len(), 1, "{before}");
    }
}

fn as_many_neighbours_as_a_filter_may_mention(fresh: &Fresh) {
    let type_id = fresh.artifact_type("A");
    let all: Vec<String> = (0..61).map(|n| format!("p{n}")).collect();
    let custom_properties = all.iter().map(|name| (name.clone(), int(1))).collect();
    fresh.artifacts([Artifact { custom_properties, ..named_artifact(type_id, "a") }]);
    let joined = |n: usize, by: &str| {
        let conditions: Vec<String> =
            all[..n].iter().map(|p| format!("custom_properties.{p}.int_value = 1")).collect();
        conditions.join(by)
    };
    assert_both(fresh, &joined(60, " AND "), &["a"]);
    assert_both(fresh, &joined(60, " OR "), &["a"]);
    let request =
        GetArtifactsRequest { options: Some(options(&joined(61, " OR "))), ..Default::default() };
    fresh.refused(InvalidArgument, request);
    // Two tables each, and all of them in one condition.
    let contexts: Vec<String> = (0..40).map(|n| format!("contexts_{n}.id = 1")).collect();
    let request = GetArtifactsRequest {
        options: Some(options(&contexts.join(" OR "))),
        ..Default::default()
    };
    fresh.refused(InvalidArgument, request);
    assert_both(fresh, &contexts.join(" AND "), &[]);
}

fn many_conditions_are_no_deep_condition(fresh: &Fresh) {
    fresh.artifacts([named_artifact(fresh.artifact_type("A"), "a")]);
    let conditions: Vec<String> = (0..4_000).map(|n| format!("id = {n}")).collect();
    assert_both(fresh, &conditions.join(" OR "), &["a"]);
    let conditions: Vec<String> = (2..1_002).map(|n| format!("id != {n}")).collect();
    assert_both(fresh, &conditions.join(" AND "), &["a"]);
    let more = format!("id != 0 AND {}", conditions.join(" AND "));
    fresh.refused(InvalidArgument, own(&more, ""));
    let many: Vec<String> = (0..61).map(|n| format!("properties.p{n}.int_value")).collect();
    fresh.refused(InvalidArgument, own("", &format!("COALESCE({})", many.join(", "))));
}

fn few_and_many_matches_are_found_alike(fresh: &Fresh) {
    let type_id = fresh.artifact_type("A");
    let other = fresh.artifact_type("B");
    // More than are looked at one by one, and the few among them.
    let artifacts = (0..2_500).map(|n| Artifact {
        properties: properties([("i", int(n % 2)), ("d", double(f64::from(n as i32)))]),
        uri: Some(format!("u{}", n % 2)),
        ..artifact(if n == 7 { other } else { type_id })
    });
    let artifacts = artifacts.collect();
    let ids = fresh.call(PutArtifactsRequest { artifacts, ..Default::default() }).artifact_ids;
    let found = |filter: &str, by: Field, is_asc: bool| -> Vec<i64> {
        let order_by_field = Some(OrderByField { field: Some(by as i32), is_asc: Some(is_asc) });
        let options = Some(ListOperationOptions { order_by_field, ..options(filter) });
        let request = GetArtifactsRequest { options, ..Default::default() };
        fresh.call(request).artifacts.iter().map(Artifact::id).collect()
    };
    for by in [Field::Id, Field::CreateTime, Field::LastUpdateTime] {
        for is_asc in [true, false] {
            let in_order = |mut ids: Vec<i64>| {
                if !is_asc {
                    ids.reverse();
                }
                ids
            };
            let half: Vec<i64> = ids.iter().copied().skip(1).step_by(2).collect();
            assert_eq!(found("properties.i.int_value = 1", by, is_asc), in_order(half));
            let few: Vec<i64> = ids[2_490..].to_vec();
            assert_eq!(
                found("properties.d.double_value >= 2490", by, is_asc),
                in_order(few.clone())
            );
            let both = "properties.i.int_value < 2 AND properties.d.double_value >= 2490";
            assert_eq!(found(both, by, is_asc), in_order(few));
            assert_eq!(found("type = 'B'", by, is_asc), [ids[7]]);
            assert_eq!(found("type != 'A'", by, is_asc), [ids[7]]);
            assert_eq!(found("type = 'A'", by, is_asc).len(), 2_499);
            assert_eq!(found("uri = 'u1' AND type = 'B'", by, is_asc), [ids[7]]);
        }
    }
}

fn the_union_of_filtered_pages_is_the_set(fresh: &Fresh) {
    let mut random = Random::new(7);
    let types = [fresh.artifact_type("A"), fresh.artifact_type("B")];
    for n in 0..60 {
        let mut made = named_artifact(types[random.below(2)], &format!("a{n}"));
        if random.below(3) > 0 {
            made.custom_properties = properties([("x", int(random.below(5) as i64))]);
        }
        fresh.artifacts([made]);
    }
    let filters = [
        "type = 'A'",
        "custom_properties.x.int_value > 1",
        "name LIKE 'a1%' OR type = 'B'",
        "TRUE",
    ];
    for filter in filters {
        let all: Vec<i64> = find(fresh, filter).iter().map(Artifact::id).collect();
        assert!(!all.is_empty());
        for (by, is_asc) in
            [(Field::Id, true), (Field::CreateTime, false), (Field::LastUpdateTime, true)]
        {
            let order_by_field =
                Some(OrderByField { field: Some(by as i32), is_asc: Some(is_asc) });
            let size = Some(1 + random.below(9) as i32);
            let mut options =
                ListOperationOptions { order_by_field, max_result_size: size, ..options(filter) };
            let mut paged = Vec::new();
            loop {
                let request =
                    GetArtifactsRequest { options: Some(options.clone()), ..Default::default() };
                let response = fresh.call(request);
                paged.extend(response.artifacts.iter().map(Artifact::id));
                options.next_page_token = response.next_page_token;
                if options.next_page_token().is_empty() {
                    break;
                }
            }
            paged.sort_unstable();
            assert_eq!(paged, all, "{filter} by {by:?}");
        }
    }
}

fn ordered<'a>(fresh: &Fresh, order_by: &str, names: &'a mut Vec<String>) -> Vec<&'a str> {
    let found = fresh.call(own("", order_by)).artifacts;
    *names = found.iter().map(|artifact| artifact.name().to_owned()).collect();
    names.iter().map(String::as_str).collect()
}

fn a_list_is_ordered_by_any_value_with_those_without_one_last(fresh: &Fresh) {
    let (a, b) = (fresh.artifact_type("A"), fresh.artifact_type("B"));
    let live = Some(State::Live as i32);
    fresh.artifacts([
        with(b, "d", "x", double(2.5)),
        Artifact { state: live, ..with(a, "c", "x", int(3)) },
        with(a, "b", "x", text("t")),
        named_artifact(a, "a"),
    ]);
    let mut names = Vec::new();
    assert_eq!(ordered(fresh, "name", &mut names), ["a", "b", "c", "d"]);
    assert_eq!(ordered(fresh, "name DESC", &mut names), ["d", "c", "b", "a"]);
    assert_eq!(ordered(fresh, "custom_properties.x", &mut names), ["d", "c", "b", "a"]);
    assert_eq!(ordered(fresh, "custom_properties.x DESC", &mut names), ["c", "d", "b", "a"]);
    assert_eq!(ordered(fresh, "type DESC, name", &mut names), ["d", "a", "b", "c"]);
    assert_eq!(ordered(fresh, "state, id DESC", &mut names), ["c", "a", "b", "d"]);
    assert_eq!(ordered(fresh, "LENGTH(name), name", &mut names), ["a", "b", "c", "d"]);
    assert_eq!(ordered(fresh, "id desc", &mut names), ["a", "b", "c", "d"]);
    assert_eq!(ordered(fresh, "create_time_since_epoch", &mut names), ["d", "c", "b", "a"]);
    fresh.artifacts([with(a, "yes", "b", boolean(true)), with(a, "no", "b", boolean(false))]);
    assert_eq!(ordered(fresh, "custom_properties.b", &mut names)[..2], ["no", "yes"]);
    for wrong in
        ["nme", "name name", "name,", "contexts_a.name", "upstream(id = 1)", "name ASC DESC"]
    {
        fresh.refused(InvalidArgument, own("", wrong));
    }
    let request = ListArtifactsRequest { page_size: -1, ..ListArtifactsRequest::default() };
    fresh.refused(InvalidArgument, request);
    let context_type = fresh.context_type("C");
    fresh.contexts([context(context_type, "y"), context(context_type, "x")]);
    let request = ListContextsRequest { order_by: "name".into(), ..ListContextsRequest::default() };
    let contexts = fresh.call(request).contexts;
    assert_eq!(contexts.iter().map(|c| c.name()).collect::<Vec<_>>(), ["x", "y"]);
}

fn pages_in_the_order_of_values_leave_nothing_out(fresh: &Fresh) {
    let mut random = Random::new(3);
    let type_id = fresh.artifact_type("A");
    for n in 0..50 {
        let value = match random.below(4) {
            0 => int(random.below(3) as i64),
            1 => double(random.below(5) as f64 / 2.0),
            2 => text(["x", "y"][random.below(2)]),
            _ => double(f64::NAN),
        };
        let made = with(type_id, &format!("a{}", n % 7), "x", value);
        fresh.artifacts([Artifact { name: None, uri: made.name.clone(), ..made }]);
    }
    for order_by in
        ["custom_properties.x", "custom_properties.x DESC, uri", "uri DESC, id", "state, uri"]
    {
        let whole: Vec<i64> =
            fresh.call(own("", order_by)).artifacts.iter().map(Artifact::id).collect();
        assert_eq!(whole.len(), 50);
        for page_size in [1, 3, 7, 49, 50, 51] {
            let mut request = ListArtifactsRequest { page_size, ..own("", order_by) };
            let mut paged = Vec::new();
            loop {
                let response = fresh.call(request.clone());
                assert!(response.artifacts.len() <= page_size as usize);
                paged.extend(response.artifacts.iter().map(Artifact::id));
                let Some(token) = response.next_page_token else { break };
                request.page_token = token;
            }
            assert_eq!(paged, whole, "{order_by}, {page_size}");
        }
    }
    let first = fresh.call(ListArtifactsRequest { page_size: 2, ..own("", "uri") });
    let page_token = first.next_page_token.expect("there are more");
    for order_by in ["uri DESC", "name", "id", "", "create_time_since_epoch"] {
        let request = ListArtifactsRequest { page_token: page_token.clone(), ..own("", order_by) };
        fresh.refused(InvalidArgument, request);
    }
    for garbage in ["x", "AAAA", "%"] {
        let request = ListArtifactsRequest { page_token: garbage.into(), ..own("", "uri") };
        fresh.refused(InvalidArgument, request);
    }
}

/// raw → prep → clean → train → model → eval → report, and an artifact beside them.
fn chain(fresh: &Fresh) {
    let type_id = fresh.artifact_type("A");
    let execution_type = fresh.execution_type("E");
    let ids = fresh.artifacts(
        ["raw", "clean", "model", "report", "beside"].map(|name| named_artifact(type_id, name)),
    );
    for (name, input, output) in
        [("prep", ids[0], ids[1]), ("train", ids[1], ids[2]), ("eval", ids[2], ids[3])]
    {
        let pair = |id, of: event::Type| ArtifactAndEvent {
            event: Some(Event {
                artifact_id: Some(id),
                r#type: Some(of as i32),
                ..Event::default()
            }),
            ..ArtifactAndEvent::default()
        };
        let mut step = execution(execution_type);
        step.name = Some(name.to_owned());
        fresh.call(PutExecutionRequest {
            execution: Some(step),
            artifact_event_pairs: vec![
                pair(input, event::Type::Input),
                pair(output, event::Type::Output),
            ],
            ..PutExecutionRequest::default()
        });
    }
}

fn lineage_is_a_condition(fresh: &Fresh) {
    chain(fresh);
    let cases: &[(&str, &[&str])] = &[
        ("upstream(name = 'raw')", &["clean", "model", "report"]),
        ("downstream(name = 'model')", &["raw", "clean"]),
        ("NOT upstream(name = 'raw')", &["raw", "beside"]),
        ("upstream(name = 'raw') AND downstream(name = 'report')", &["clean", "model"]),
        ("upstream_execution(name = 'train')", &["model", "report"]),
        ("downstream_execution(name = 'train')", &["raw", "clean"]),
        ("upstream(downstream(name = 'clean'))", &["clean", "model", "report"]),
        ("upstream(TRUE)", &["clean", "model", "report"]),
        ("upstream(name = 'nothing')", &[]),
        ("UPSTREAM(name = 'raw') OR name = 'beside'", &["clean", "model", "report", "beside"]),
    ];
    for (filter, expected) in cases {
        assert_eq!(names(&list(fresh, filter)), *expected, "{filter}");
    }
    let nine = ["upstream(TRUE)"; 9];
    fresh.refused(InvalidArgument, own(&nine.join(" OR "), ""));
    let nested = format!("{}TRUE{}", "upstream(".repeat(9), ")".repeat(9));
    fresh.refused(InvalidArgument, own(&nested, ""));
    fresh.call(own(&nine[1..].join(" OR "), ""));
    let request = GetArtifactsRequest {
        options: Some(options("upstream(name = 'raw')")),
        ..Default::default()
    };
    fresh.refused(InvalidArgument, request);
    let request = ListContextsRequest { filter: "upstream(id = 1)".into(), ..Default::default() };
    fresh.refused(InvalidArgument, request);
}

fn hops_limit_a_lineage_condition(fresh: &Fresh) {
    chain(fresh);
    for (hops, expected) in
        [(0, &[][..]), (1, &[]), (2, &["clean"]), (3, &["clean"]), (4, &["clean", "model"])]
    {
        let filter = format!("upstream(name = 'raw', hops <= {hops})");
        assert_eq!(names(&list(fresh, &filter)), *expected, "{filter}");
    }
    let filter = "downstream_execution(name = 'eval', hops <= 1)";
    assert_eq!(names(&list(fresh, filter)), ["model"]);
}

fn a_computation_without_a_result_is_the_callers_mistake(fresh: &Fresh) {
    fresh.artifacts([artifact(fresh.artifact_type("A"))]);
    let request = GetArtifactsRequest {
        options: Some(options("ABS(-9223372036854775807 - id) > 0")),
        ..Default::default()
    };
    fresh.refused(InvalidArgument, request);
    assert_eq!(find(fresh, "id / 0 IS NULL AND MOD(id, 0) IS NULL").len(), 1);
}

/// Each of these holds for the one node that there is.
fn functions_have_the_same_corner_cases_everywhere(fresh: &Fresh) {
    let type_id = fresh.artifact_type("A");
    let custom_properties = properties([
        ("big", double(9_007_199_254_740_991.0)),
        ("half", double(2.5)),
        ("eighth", double(0.125)),
        ("number", text(" -9.5e1kg")),
        ("path", text("a\\b%c_d|e")),
        ("blanks", text("  x--  ")),
    ]);
    fresh.artifacts([Artifact { custom_properties, ..artifact(type_id) }]);
    for filter in [
        // The id is 1, of 64 bits.
        "id >> 32 = 0 AND id << 40 = 1099511627776 AND id << 63 < 0 AND id << 64 = 0",
        "id << -1 = 0 AND -8 >> 1 = -4 AND -8 >> 70 = -1 AND -8 >> -1 = -16 AND id >> -64 = 0",
        "(id + 4294967295) * 2 = 8589934592 AND ~id = -2 AND (id | 6) ^ 3 = 4",
        "CAST(custom_properties.big.double_value AS INT64) = 9007199254740991",
        "ROUND(custom_properties.big.double_value) = 9007199254740991.0",
        "ROUND(custom_properties.half.double_value) = 3 AND ROUND(-2.5) = -3",
        "ROUND(custom_properties.eighth.double_value, 2) = 0.13",
        "ROUND(custom_properties.half.double_value, 0) = 3",
        "CAST(custom_properties.number.string_value AS INT64) = -9",
        "CAST(custom_properties.number.string_value AS DOUBLE) = -95",
        "CAST(custom_properties.path.string_value AS DOUBLE) = 0",
        "CAST(custom_properties.path.string_value AS INT64) = 0",
        "CAST(name AS INT64) IS NULL AND CAST(name AS DOUBLE) IS NULL AND LENGTH(name) IS NULL",
        "CAST('9223372036854775808' || LOWER('X') AS INT64) = 9223372036854775807",
        "CAST(LOWER('-1234567890123456789X') AS INT64) = -1234567890123456789",
        "'b' BETWEEN COALESCE(name, 'a') AND 'zz' AND NOT ('b' BETWEEN name AND 'zz') IS TRUE",
        "UPPER('\u{e9}t') = '\u{e9}T' AND LOWER('\u{c9}T') = '\u{c9}t'",
        "NOT '\u{c9}' LIKE '\u{e9}'",
        "CAST(1.9 AS INT64) = 2 AND CAST(custom_properties.half.double_value AS INT64) = 2",
        r"custom_properties.path.string_value LIKE 'A\\B%' AND NOT ('ab' LIKE 'a\\b')",
        r"NOT (custom_properties.path.string_value LIKE 'a\\%x') AND 'a|b' LIKE 'A|_'",
        "SUBSTR('abc', NULL) IS NULL AND SUBSTR('abc', 1, NULL) IS NULL",
        "ROUND(1.5, NULL) IS NULL AND SUBSTR('abc', NULL, 1) IS NULL",
        "REPLACE('abc', 'a', NULL) IS NULL AND SIGN(id) | 2 = 3 AND MOD(SIGN(-id), 2) = -1",
        "id * 2147483647 * 2 = 4294967294 AND type_id * 2147483647 > 4294967294",
        "TRIM(custom_properties.blanks.string_value) = 'x--'",
        "TRIM(custom_properties.blanks.string_value, ' -') = 'x'",
        "LTRIM(custom_properties.blanks.string_value, '') = '  x--  '",
        r"RTRIM(']x^[-\\', r'-]\[') = ']x^'",
        "SUBSTR('abcdef', 0) = 'abcdef' AND SUBSTR('abcdef', -2) = 'ef'",
        "SUBSTR('abcdef', 0, 2) = 'a' AND SUBSTR('abcdef', -3, 2) = 'de'",
        "SUBSTR('abcdef', 4, -2) = 'bc' AND SUBSTR('abcdef', -10, 6) = 'ab'",
        "SUBSTR('abcdef', 9) = '' AND SUBSTR('abcdef', 2, 0) = ''",
        "IF(id = 1, 'A', 'b') = 'A' AND IF(id = 1, 'A', 'b') != 'a'",
        "GREATEST(1, 2.5) = 2.5 AND GREATEST(id, NULL) IS NULL AND LEAST('b', 'A') = 'A'",
        "ENDS_WITH('abc', 'bc') AND NOT ENDS_WITH('c', 'bc') AND STARTS_WITH('abc', '')",
        "STRPOS('abc', 'c') = 3 AND STRPOS('abc', 'x') = 0 AND MOD(-7, 2) = -1 AND DIV(-7, 2) = -3",
        "7 / 2 = 3.5 AND CAST(2.0 AS STRING) = '2' AND CAST(id = 1 AS STRING) = 'true'",
        "CONCAT('a', 'b', 'c') = 'abc' AND 'a' || 'b' = 'ab' AND REPLACE('aXa', 'a', '') = 'X'",
    ] {
        assert_eq!(find(fresh, filter).len(), 1, "{filter}");
    }
}

fn texts_are_characters_in_functions_and_orders(fresh: &Fresh) {
    let type_id = fresh.artifact_type("A");
    let all = ["\u{e9}a", "Z", "\u{1f600}", "a", "\u{65e5}\u{672c}", "B\u{e9}"];
    fresh.artifacts(all.map(|name| named_artifact(type_id, name)));
    assert_both(fresh, "LENGTH(name) = 2", &["\u{e9}a", "\u{65e5}\u{672c}", "B\u{e9}"]);
    assert_both(fresh, "name LIKE '_'", &["Z", "\u{1f600}", "a"]);
    assert_both(fresh, "SUBSTR(name, 2) = '\u{e9}'", &["B\u{e9}"]);
    assert_both(
        fresh,
        "name IN ('\u{1f600}', '\u{65e5}\u{672c}')",
        &["\u{1f600}", "\u{65e5}\u{672c}"],
    );
    assert_both(fresh, "name > 'a'", &["\u{e9}a", "\u{1f600}", "\u{65e5}\u{672c}"]);
    let ordered = ["B\u{e9}", "Z", "a", "\u{e9}a", "\u{65e5}\u{672c}", "\u{1f600}"];
    let mut request = own("", "name");
    assert_eq!(names(&fresh.call(request.clone()).artifacts), ordered);
    request.page_size = 1;
    for name in ordered {
        let page = fresh.call(request.clone());
        assert_eq!(names(&page.artifacts), [name]);
        request.page_token = page.next_page_token.unwrap_or_default();
    }
}
