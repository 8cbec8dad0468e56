//! The decoder: the same bytes in any pieces are the same operations, and little is kept.

use arbitrary::Unstructured;
use nats_geo::wire::{DecodeError, Decoder};

/// Small, so that arbitrary input reaches the limit.
const PAYLOAD_MAX: usize = 512;

/// The longest line is INFO; see its limit in the decoder.
const KEPT_MAX: usize = 64 << 10;

/// Splits the input into sizes of pieces and what a server sends.
pub(crate) fn play(data: &[u8]) -> u64 {
    let mut input = Unstructured::new(data);
    let sizes: [u8; 4] = input.arbitrary().unwrap_or_default();
    let sent = input.take_rest();
    let whole = decode(sent, &[usize::MAX]);
    let pieces = decode(sent, &sizes.map(|size| usize::from(size).max(1)));
    assert_eq!(whole, pieces, "in pieces of {sizes:?}");
    whole.0.len() as u64 + 1
}

/// All operations as text, which outlives the decoder's buffer, and how it ended.
fn decode(input: &[u8], sizes: &[usize]) -> (Vec<String>, Option<DecodeError>) {
    let mut decoder = Decoder::with_max_payload(PAYLOAD_MAX);
    let mut ops = Vec::new();
    let mut rest = input;
    for size in sizes.iter().cycle() {
        let (piece, later) = rest.split_at(rest.len().min(*size));
        decoder.feed(piece);
        loop {
            match decoder.next_op() {
                Ok(Some(op)) => ops.push(format!("{op:?}")),
                Ok(None) => break,
                Err(error) => return (ops, Some(error)),
            }
        }
        assert!(decoder.kept() <= KEPT_MAX, "{} bytes kept", decoder.kept());
        rest = later;
        if rest.is_empty() {
            break;
        }
    }
    (ops, None)
}
