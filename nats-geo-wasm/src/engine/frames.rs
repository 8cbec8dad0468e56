//! Messages on their way to JavaScript. One buffer holds many messages, and JavaScript copies this buffer once.
//!
//! A frame is, in little endian: u32 length of the frame, u8 kind (0 message, 1 reply), u8 flags (bit 0: status 503),
//! u16 length of the subject, u16 of the reply subject, u16 zero, u32 id (of the subscription or the request), u32
//! length of the headers, u32 of the payload; then subject, reply subject, headers and payload; then zeros up to a
//! multiple of four.

use nats_geo::wire::Msg;

/// What a frame is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum FrameKind {
    /// For a subscription.
    Message = 0,
    /// The answer to a request.
    Reply = 1,
}

/// Bytes before the subject.
const HEADER_BYTES: usize = 24;

/// Flag: nobody serves the subject.
const NO_RESPONDERS: u8 = 1;

/// Appends a frame to `out`.
pub(super) fn write(out: &mut Vec<u8>, kind: FrameKind, id: u32, message: &Msg<'_>) {
    let (reply, headers) = (message.reply, message.headers);
    let parts = [message.subject, reply.unwrap_or_default(), headers.unwrap_or_default(), message.payload];
    let length = HEADER_BYTES + parts.iter().map(|part| part.len()).sum::<usize>();
    let padded = length.next_multiple_of(4);
    let flags = if message.status() == Some(503) { NO_RESPONDERS } else { 0 };
    let mut header = [0; HEADER_BYTES];
    header[0..4].copy_from_slice(&word(padded));
    header[4..6].copy_from_slice(&[kind as u8, flags]);
    // A control line has 4 KiB at most, so both fit.
    header[6..8].copy_from_slice(&word(parts[0].len())[..2]);
    header[8..10].copy_from_slice(&word(parts[1].len())[..2]);
    header[12..16].copy_from_slice(&id.to_le_bytes());
    header[16..20].copy_from_slice(&word(parts[2].len()));
    header[20..24].copy_from_slice(&word(parts[3].len()));
    out.reserve(padded);
    out.extend_from_slice(&header);
    for part in parts {
        out.extend_from_slice(part);
    }
    out.resize(out.len() + padded - length, 0);
}

/// The decoder takes no message of more than 64 MiB.
fn word(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_looks_as_the_other_side_expects() {
        let message = Msg {
            subject: b"a.b",
            sid: 9,
            reply: Some(b"re"),
            headers: Some(b"NATS/1.0 503\r\n\r\n"),
            payload: b"x",
        };
        let mut out = vec![7; 4];
        write(&mut out, FrameKind::Reply, 0x0102, &message);
        let header = [48, 0, 0, 0, 1, 1, 3, 0, 2, 0, 0, 0, 2, 1, 0, 0, 16, 0, 0, 0, 1, 0, 0, 0];
        let expected = [&[7; 4][..], &header, b"a.breNATS/1.0 503\r\n\r\nx", &[0, 0]].concat();
        assert_eq!(out, expected);
    }
}
