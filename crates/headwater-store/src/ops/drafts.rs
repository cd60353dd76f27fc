//! Nodes on their way from rows to an answer: as messages for callers of the library, encoded for
//! everybody else, because a map with its names and values costs more than the bytes it ends as.

use std::marker::PhantomData;

use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint};

use crate::backend::Row;
use crate::error::Result;
use crate::kinds::Node;
use crate::rows;

/// A node whose own row was read, and whose properties follow.
pub(crate) trait Draft<N>: Default {
    fn of(head: N) -> Self;
    /// The node without its properties, or with them.
    fn head(&self) -> &N;
    fn head_mut(&mut self) -> &mut N;
    /// Takes a row of the property table, and answers by how many bytes the node has grown.
    fn take_property(&mut self, row: &dyn Row) -> Result<usize>;
    /// Bytes of the whole node.
    fn encoded_len(&self) -> usize;
}

impl<N: Node> Draft<N> for N {
    fn of(head: N) -> Self {
        head
    }
    fn head(&self) -> &N {
        self
    }
    fn head_mut(&mut self) -> &mut N {
        self
    }
    fn take_property(&mut self, row: &dyn Row) -> Result<usize> {
        let property = rows::property(row)?;
        let bytes = property.name.len() + property.value.encoded_len();
        let is_custom = property.is_custom;
        let map = if is_custom { self.custom_properties_mut() } else { self.properties_mut() };
        map.insert(property.name, property.value);
        Ok(bytes)
    }
    fn encoded_len(&self) -> usize {
        Message::encoded_len(self)
    }
}

/// A node whose properties are encoded already.
#[derive(Debug, Default)]
pub(crate) struct EncodedNode<N> {
    head: N,
    properties: Vec<u8>,
}

impl<N: Node> Draft<N> for EncodedNode<N> {
    fn of(head: N) -> Self {
        Self { head, properties: Vec::new() }
    }
    fn head(&self) -> &N {
        &self.head
    }
    fn head_mut(&mut self) -> &mut N {
        &mut self.head
    }
    fn take_property(&mut self, row: &dyn Row) -> Result<usize> {
        let before = self.properties.len();
        rows::encode_property(row, &mut self.properties)?;
        Ok(self.properties.len() - before)
    }
    fn encoded_len(&self) -> usize {
        self.head.encoded_len() + self.properties.len()
    }
}

/// Where whole nodes go.
pub(crate) trait Sink<N: Node>: Default {
    /// What they are made as.
    type Draft: Draft<N>;

    fn push(&mut self, node: Self::Draft);
    fn is_empty(&self) -> bool;
}

impl<N: Node> Sink<N> for Vec<N> {
    type Draft = N;

    fn push(&mut self, node: N) {
        Vec::push(self, node);
    }
    fn is_empty(&self) -> bool {
        Vec::is_empty(self)
    }
}

/// Nodes encoded as field 1 of the answer.
#[derive(Debug)]
pub(crate) struct Encoded<N> {
    bytes: Vec<u8>,
    node: PhantomData<N>,
}

impl<N> Default for Encoded<N> {
    fn default() -> Self {
        Self { bytes: Vec::new(), node: PhantomData }
    }
}

impl<N> Encoded<N> {
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

impl<N: Node> Sink<N> for Encoded<N> {
    type Draft = EncodedNode<N>;

    fn push(&mut self, node: EncodedNode<N>) {
        encode_key(1, WireType::LengthDelimited, &mut self.bytes);
        encode_varint(node.encoded_len() as u64, &mut self.bytes);
        node.head.encode_raw(&mut self.bytes);
        self.bytes.extend(node.properties);
    }
    fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}
