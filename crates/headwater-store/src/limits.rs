//! Every limit of the store, with its reason.

/// Largest encoded request or response, in bytes. gRPC's own default of 4 MiB breaks real
/// pipelines (metadata of 68 MB was seen), so both directions take 128 MiB.
pub const MESSAGE_BYTES_MAX: usize = 128 * 1024 * 1024;

/// Deepest nesting of an artifact struct type. MLMD's process dies reading one 45 deep back.
pub const STRUCT_TYPE_DEPTH_MAX: usize = 30;

/// Nodes of one page when the request does not say; MLMD's default.
pub const PAGE_SIZE_DEFAULT: i32 = 20;

/// Nodes read per statement while a list is put together, so that memory follows the answer and
/// not the table.
pub const READ_CHUNK: usize = 1000;

/// How long a writer waits for another process that holds the database, in milliseconds.
pub const BUSY_TIMEOUT_MS: u64 = 10_000;

/// Connections that read at the same time.
pub const READERS_MAX: usize = 8;

/// Prepared statements kept per connection.
pub const STATEMENTS_MAX: usize = 128;

/// Times a transaction is begun before a conflict is answered with `ABORTED`. Waiting happens in
/// the database, for up to [`BUSY_TIMEOUT_MS`] each time.
pub const TRANSACTION_TRIES_MAX: u32 = 2;
