//! The metadata store of Headwater: everything between a message and a database.
//!
//! ```text
//!   method + request message
//!            │
//!       Store::call        methods.rs   the whole surface, a line per method
//!            │
//!       validate.rs                     message → ok or INVALID_ARGUMENT, pure
//!            │
//!     Store::transact      store.rs     the only begin, commit and retry
//!            │
//!       ops/<noun>.rs                   what a method means, once for the three kinds
//!            │
//!         sql/                          → Statement { name, text, values }, pure
//!            │
//!     backend/<database>                the only I/O; knows no noun
//!            │
//!        rows.rs                        row ⇄ message, pure
//! ```
//!
//! The messages of the contract are the model; there is no second copy of them.
//!
//! ```
//! use headwater_proto::ml_metadata::{ArtifactType, PutArtifactTypeRequest};
//! use headwater_store::{Store, StoreUrl};
//!
//! let store = Store::open(&StoreUrl::memory())?;
//! let request = PutArtifactTypeRequest {
//!     artifact_type: Some(ArtifactType { name: Some("Model".into()), ..Default::default() }),
//!     ..Default::default()
//! };
//! let first = store.call(&request)?;
//! assert_eq!(store.call(&request)?, first);
//! # Ok::<(), headwater_store::Error>(())
//! ```

mod backend;
pub mod digest;
mod error;
mod filter;
mod json;
mod kinds;
pub mod limits;
mod methods;
mod migrate;
mod ops;
mod rows;
mod sql;
mod store;
mod url;
mod validate;
pub mod vocabulary;

pub use backend::{Access, Caller};
pub use error::{ERRORS, Error, ErrorKind, ErrorRow, Result};
pub use methods::{Call, Emit, Method, StreamCall};
pub use migrate::{Migration, SCHEMA_VERSION, migrate};
pub use store::{Capacity, Observer, StatementRun, Store, Together};
pub use url::StoreUrl;
