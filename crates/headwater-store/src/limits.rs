//! Every limit of the store, with its reason.

/// Largest encoded request or response, in bytes. gRPC's own default of 4 MiB breaks real
/// pipelines (metadata of 68 MB was seen), so both directions take 128 MiB.
pub const MESSAGE_BYTES_MAX: usize = 128 * 1024 * 1024;

/// Deepest nesting of an artifact struct type. MLMD's process dies reading one 45 deep back.
pub const STRUCT_TYPE_DEPTH_MAX: usize = 30;

/// Nodes of one page when the request does not say; MLMD's default.
pub const PAGE_SIZE_DEFAULT: i32 = 20;

/// Nodes read at a time while an answer is put together, so that memory holds these and the encoded
/// answer, not the table.
pub const READ_CHUNK: usize = 250;

/// Encoded nodes at which a page ends early, in bytes: a message less room for token and framing.
pub const PAGE_BYTES_MAX: usize = MESSAGE_BYTES_MAX - MESSAGE_BYTES_MAX / 16;

/// More nodes than this do not fit into a page, however small they are.
pub const PAGE_NODES_MAX: usize = PAGE_BYTES_MAX / 24;

/// Size at which a message of a stream ends, in bytes. Clients take 4 MiB if they are not told
/// otherwise; only a node that is larger by itself passes it.
pub const STREAM_MESSAGE_BYTES: usize = 1 << 20;

/// How long a writer waits for another process that holds the database, in milliseconds.
pub const BUSY_TIMEOUT_MS: u64 = 10_000;

/// Connections of one store to a database server, when its URL does not say.
pub const CONNECTIONS_DEFAULT: usize = 20;

/// How long a call waits for one of them, in milliseconds.
pub const CONNECTION_WAIT_MS_MAX: u64 = 30_000;

/// How long connecting to a database server may take, in milliseconds.
pub const CONNECT_MS_MAX: u64 = 10_000;

/// How long a database server may be silent on a connection that waits for it, beyond what a query
/// may take, in milliseconds.
pub const SILENCE_MS_MAX: u64 = 15_000;

/// How long a transaction that did not happen is run again, in milliseconds.
pub const RETRY_MS_MAX: u64 = 20_000;

/// Longest pause between two attempts, in milliseconds.
pub const RETRY_PAUSE_MS_MAX: u64 = 500;

/// Statements that are sent without waiting for the answer of the first.
pub const FLIGHT_MAX: usize = 200;

/// Length of a metric's name, in bytes: with `metrics.` and `.step` it is a property's name.
pub const METRIC_NAME_BYTES_MAX: usize = 200;

/// Metrics of one execution. Each has four properties.
pub const METRICS_MAX: usize = 10_000;

/// Length of the name of a process that logs, in bytes.
pub const METRIC_WRITER_BYTES_MAX: usize = 64;

/// Points up to which a chunk of a metric is written again with more, instead of beginning another.
pub const METRIC_CHUNK_GROWS_TO: usize = 512;

/// Points of one chunk.
pub const METRIC_CHUNK_POINTS_MAX: usize = 8192;

/// Fewest points that a metric may be thinned to.
pub const METRIC_POINTS_LEAST: usize = 8;

/// Bytes that may be kept by one request.
pub const CONTENT_BYTES_MAX: usize = 64 << 20;

/// Bytes of a row of a content. A database's packet, such as MySQL's of 16 MiB, holds a few.
pub const CONTENT_CHUNK_BYTES: usize = 512 << 10;

/// Contents that one request may have or ask for.
pub const CONTENTS_LISTED_MAX: usize = 1000;

/// Length of the name that versions share, in bytes: with a type and a digest it is an external id.
pub const VERSION_NAME_BYTES_MAX: usize = 120;

/// Length of what a version consists of, in bytes.
pub const VERSION_DIGEST_BYTES_MAX: usize = 100;

/// Names of a version that are tried where somebody else has given them to other artifacts.
pub const VERSION_NAMES_TRIED: i64 = 1000;

/// Length of a step's name, in bytes.
pub const STEP_NAME_BYTES_MAX: usize = 200;

/// Parts that a step depends on.
pub const STEP_PARTS_MAX: usize = 1000;

/// Length of a part's name and of its value, in bytes.
pub const STEP_PART_BYTES_MAX: usize = 1000;

/// Length of the name under which a step is claimed, in bytes.
pub const STEP_CLAIMANT_BYTES_MAX: usize = 64;

/// Shortest and longest time for which a step is its claimant's, in milliseconds.
pub const STEP_LEASE_MS: std::ops::RangeInclusive<i64> = 1_000..=86_400_000;

/// Text of one statement that inserts rows, where their values stand in it, in bytes.
pub const INSERT_BYTES_MAX: usize = 1 << 20;

/// Writers that share one commit of an SQLite file.
pub const GROUP_WRITERS_MAX: usize = 32;

/// How long a commit may be put off for writers that are already waiting, in milliseconds. Then
/// other processes get their turn, too.
pub const GROUP_MS_MAX: u64 = 50;

/// Connections that read at the same time.
pub const READERS_MAX: usize = 10;

/// How long one query may take, in seconds. Whoever waits for it that long has asked for too much.
pub const QUERY_SECONDS_MAX: u64 = 120;

/// Longest value that a database may store or compute, in bytes: a message, as base64.
pub const VALUE_BYTES_MAX: i32 = (MESSAGE_BYTES_MAX / 2 * 3) as i32;

/// Longest text of a statement that is kept prepared, in bytes.
pub const STATEMENT_KEPT_BYTES_MAX: usize = 8 << 10;

/// Pages of an SQLite file that each connection keeps, in KiB. What is not kept is read again from
/// the operating system; a walk through a large store is three times as fast with this much.
pub const PAGE_CACHE_KIB_MAX: i64 = 16 << 10;

/// Pages of an SQLite file's log at which they are copied into the file: 16 MiB. With SQLite's own
/// 1,000, a step of a pipeline took a fifth more syncs and twice the reads.
pub const LOG_PAGES_MAX: u32 = 4000;

/// Prepared statements kept per connection.
pub const STATEMENTS_MAX: usize = 128;

/// Links between contexts and their members that one request may make. They grow as the product
/// of its contexts and nodes, and hold the writer while they are written.
pub const LINKS_MAX: usize = 250_000;

/// Longest text of an error, in bytes of a gRPC header, where a character that is not ASCII takes
/// three per byte. Clients drop an answer whose headers pass 8 KiB and report something else.
pub const ERROR_BYTES_MAX: usize = 2048;

/// Names that an error lists before it says how many more there are.
pub const ERROR_NAMES_MAX: usize = 10;

/// Longest filter, in bytes.
pub const FILTER_BYTES_MAX: usize = 64 << 10;

/// Deepest nesting of a filter's parentheses and operators.
pub const FILTER_DEPTH_MAX: usize = 100;

/// Conditions with `AND` between them that one filter may have. What SQLite does to plan a
/// statement grows with their square.
pub const FILTER_CONDITIONS_MAX: usize = 1000;

/// Properties and neighbours that one filter may mention.
pub const FILTER_NEIGHBOURS_MAX: usize = 60;

/// Tables that are joined for one condition of a filter. SQLite joins 64, MySQL 61.
pub const FILTER_TABLES_MAX: usize = 60;

/// Longest SQL text that a filter may become, in bytes.
pub const FILTER_SQL_BYTES_MAX: usize = 1 << 20;

/// Characters of a filter that an error shows.
pub const FILTER_SHOWN_MAX: usize = 120;

/// Nodes that an index leads to up to which a list looks at each of them; where there are more, it
/// goes through all nodes in its order and stops when the page is full.
pub const FILTER_CANDIDATES_MAX: usize = 2000;

/// Nodes that a lineage may start from; MLMD's limit, which it says is 100.
pub const LINEAGE_STARTS_MAX: usize = 101;

/// Hops that a lineage goes, at most; MLMD's limit.
pub const LINEAGE_HOPS_MAX: i64 = 100;

/// Conditions on lineage that one filter may have. Each follows the graph on its own.
pub const FILTER_TRACES_MAX: usize = 8;

/// Values that a filter may bind. SQLite takes 32,766.
pub const FILTER_VALUES_MAX: usize = 30_000;

/// Nodes that one trace of a filter may go to.
pub const TRACED_NODES_MAX: usize = 1_000_000;

/// Values that one list may be ordered by; a property without the name of its value is three.
pub const ORDER_KEYS_MAX: usize = 24;

/// Filters in `start_artifacts`, and in `start_executions`, of one trace.
pub const TRACE_FILTERS_MAX: usize = 16;
