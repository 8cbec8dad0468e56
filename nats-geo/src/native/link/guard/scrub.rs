//! This module changes messages of other clients so that async-nats can read them.
//!
//! async-nats ends the connection when it cannot read a message. nats-server passes on every header block and every
//! subject, even if async-nats cannot read it.

use std::ops::Range;

/// Reads what a server sends, in pieces of any size, and returns it with unreadable headers, or whole messages, left out.
#[derive(Debug, Default)]
pub(super) struct Scrubber {
    /// Input that cannot be passed on yet: an incomplete line, or the incomplete headers of a message.
    waiting: Vec<u8>,
    /// So many bytes of a payload follow, with its line end.
    payload: usize,
    /// They belong to a message that is left out.
    is_left_out: bool,
}

/// A change to a message.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Scrubbed {
    /// The subject, as far as it is text.
    pub(crate) subject: String,
    /// The part that could not be read.
    pub(crate) problem: &'static str,
    /// The whole message was left out.
    pub(crate) is_left_out: bool,
}

/// The stream is no NATS, or longer than any server sends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct NotNats;

impl Scrubber {
    /// Appends to `out` what async-nats can read, and calls `found` for each message that was changed.
    pub(super) fn pass(
        &mut self,
        input: &[u8],
        out: &mut Vec<u8>,
        mut found: impl FnMut(Scrubbed),
    ) -> Result<(), NotNats> {
        if self.waiting.is_empty() {
            let taken = self.pass_all(input, out, &mut found)?;
            self.waiting.extend_from_slice(&input[taken..]);
        } else {
            let mut waiting = std::mem::take(&mut self.waiting);
            waiting.extend_from_slice(input);
            let taken = self.pass_all(&waiting, out, &mut found)?;
            waiting.drain(..taken);
            self.waiting = waiting;
        }
        Ok(())
    }

    /// Passes on all that is complete, and returns how much that was.
    fn pass_all(
        &mut self,
        input: &[u8],
        out: &mut Vec<u8>,
        found: &mut impl FnMut(Scrubbed),
    ) -> Result<usize, NotNats> {
        let mut at = 0;
        loop {
            let part = self.payload.min(input.len() - at);
            if !self.is_left_out {
                out.extend_from_slice(&input[at..at + part]);
            }
            self.payload -= part;
            at += part;
            let rest = &input[at..];
            let Some(length) = rest.iter().position(|byte| *byte == b'\n').map(|end| end + 1) else {
                return if rest.len() > LINE_MAX { Err(NotNats) } else { Ok(at) };
            };
            self.is_left_out = false;
            let line = &rest[..length];
            if !line.starts_with(b"MSG ") && !line.starts_with(b"HMSG ") {
                out.extend_from_slice(line);
                at += length;
                continue;
            }
            let head = Head::parse(line).ok_or(NotNats)?;
            let headers = head.headers.unwrap_or_default();
            let Some(block) = rest.get(length..length + headers) else { return Ok(at) };
            at += length + headers;
            self.payload = head.total - headers + CRLF.len();
            self.message(&head, line, block, out, found);
        }
    }

    fn message(
        &mut self,
        head: &Head,
        line: &[u8],
        block: &[u8],
        out: &mut Vec<u8>,
        found: &mut impl FnMut(Scrubbed),
    ) {
        let text =
            std::str::from_utf8(line).ok().filter(|line| line.split_whitespace().count() == head.words);
        self.is_left_out = text.is_none();
        let readable = head.headers.map(|_| readable(block));
        let problem = match (text, &readable) {
            (None, _) => "its subject",
            (Some(_), Some(Some(_))) => "its headers",
            (Some(_), _) => {
                out.extend_from_slice(line);
                out.extend_from_slice(block);
                return;
            }
        };
        let subject = String::from_utf8_lossy(&line[head.subject.clone()]).into_owned();
        found(Scrubbed { subject, problem, is_left_out: self.is_left_out });
        if let (Some(line), Some(Some(block))) = (text, readable) {
            let sizes =
                format!("{} {}\r\n", block.len(), head.total - head.headers.unwrap_or(0) + block.len());
            out.extend_from_slice(&line.as_bytes()[..head.sizes]);
            out.extend_from_slice(sizes.as_bytes());
            out.extend_from_slice(&block);
        }
    }
}

/// The line of a message.
struct Head {
    subject: Range<usize>,
    words: usize,
    /// The position of the sizes.
    sizes: usize,
    /// Bytes of headers, for HMSG.
    headers: Option<usize>,
    /// Bytes of headers and payload.
    total: usize,
}

impl Head {
    /// `MSG <subject> <sid> [reply] <size>`, `HMSG <subject> <sid> [reply] <headers> <size>`.
    fn parse(line: &[u8]) -> Option<Self> {
        let line = line.strip_suffix(CRLF)?;
        let mut words: Vec<Range<usize>> = Vec::new();
        let mut start = 0;
        for word in line.split(|byte| *byte == b' ') {
            if !word.is_empty() {
                words.push(start..start + word.len());
            }
            start += word.len() + 1;
        }
        let has_headers = line.starts_with(b"H");
        let number =
            |word: &Range<usize>| std::str::from_utf8(&line[word.clone()]).ok()?.parse::<usize>().ok();
        let total = number(words.last()?)?;
        let (headers, sizes) = match words.as_slice() {
            [.., headers, _] if has_headers => (Some(number(headers)?), headers.start),
            [.., total] => (None, total.start),
            [] => return None,
        };
        let fewest = if has_headers { 5 } else { 4 };
        let is_sound = (fewest..=fewest + 1).contains(&words.len())
            && headers.unwrap_or_default() <= total
            && total <= PAYLOAD_MAX;
        is_sound.then(|| Self { subject: words[1].clone(), words: words.len(), sizes, headers, total })
    }
}

/// The header block without what async-nats cannot read; `None` if it can read all.
fn readable(block: &[u8]) -> Option<Vec<u8>> {
    let mut lines = block.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let first = lines.next().unwrap_or_default();
    let version = if is_version_line(first) { first } else { VERSION };
    let mut is_whole = version == first;
    let mut out = [version, CRLF].concat();
    let mut is_kept = false;
    for line in lines.filter(|line| !line.is_empty()) {
        let continues = line.first().is_some_and(u8::is_ascii_whitespace);
        is_kept = is_text(line) && if continues { is_kept } else { has_name(line) };
        is_whole &= is_kept;
        if is_kept {
            out.extend_from_slice(line);
            out.extend_from_slice(CRLF);
        }
    }
    out.extend_from_slice(CRLF);
    (!is_whole).then_some(out)
}

/// `NATS/1.0`, with a status of three digits or without.
fn is_version_line(line: &[u8]) -> bool {
    let Some(rest) = line.strip_prefix(VERSION).filter(|_| is_text(line)) else { return false };
    match rest.trim_ascii().split(|byte| *byte == b' ').next() {
        None | Some([]) => true,
        Some(status) => status.len() == 3 && status.iter().all(u8::is_ascii_digit) && status[0] != b'0',
    }
}

/// A carriage return inside makes async-nats panic.
fn is_text(line: &[u8]) -> bool {
    !line.contains(&b'\r') && std::str::from_utf8(line).is_ok()
}

fn has_name(line: &[u8]) -> bool {
    let colon = line.iter().position(|byte| *byte == b':');
    colon.is_some_and(|colon| line[..colon].iter().all(u8::is_ascii_graphic))
}

const VERSION: &[u8] = b"NATS/1.0";

const CRLF: &[u8] = b"\r\n";

/// More than an INFO with ten thousand servers has.
const LINE_MAX: usize = 1 << 20;

/// The largest `max_payload` that nats-server can be configured to accept.
const PAYLOAD_MAX: usize = 64 << 20;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scrubbed(input: &[u8], size: usize) -> (Vec<u8>, Vec<Scrubbed>) {
        let (mut scrubber, mut out, mut found) = (Scrubber::default(), Vec::new(), Vec::new());
        for piece in input.chunks(size.max(1)) {
            scrubber.pass(piece, &mut out, |it| found.push(it)).unwrap();
        }
        (out, found)
    }

    fn hmsg(headers: &[u8], payload: &[u8]) -> Vec<u8> {
        let line = format!("HMSG a 1 {} {}\r\n", headers.len(), headers.len() + payload.len());
        [line.as_bytes(), headers, payload, CRLF].concat()
    }

    #[test]
    fn what_can_be_read_passes_unchanged() {
        let headed = hmsg(b"NATS/1.0 503 none\r\nA: 1\r\n b\r\nA: caf\xc3\xa9\r\n\r\n", b"x\r\ny");
        let input = [
            b"INFO {}\r\nPING\r\nMSG a 1 reply 7\r\nHMSG \r\n\r\n-ERR 'no'\r\n".as_slice(),
            &headed,
            b"PONG\r\n",
        ]
        .concat();
        for size in [1, 3, 7, 1_000] {
            assert_eq!(scrubbed(&input, size), (input.clone(), Vec::new()), "in pieces of {size}");
        }
    }

    #[test]
    fn unreadable_headers_are_left_out_and_the_rest_arrives() {
        for (headers, left) in [
            (b"NATS/1.0\r\nMy Key: x\r\nA: 1\r\n\r\n".as_slice(), b"NATS/1.0\r\nA: 1\r\n\r\n".as_slice()),
            (b"NATS/1.0\r\nno colon\r\n continued\r\nA: 1\r\n\r\n", b"NATS/1.0\r\nA: 1\r\n\r\n"),
            (b"NATS/1.0\r\nA: caf\xe9\r\nB: 2\r\n\r\n", b"NATS/1.0\r\nB: 2\r\n\r\n"),
            (b"NATS/1.0\r\nA: b\rc\r\n\r\n", b"NATS/1.0\r\n\r\n"),
            (b"NATS/1.0 teapot\r\nA: 1\r\n\r\n", b"NATS/1.0\r\nA: 1\r\n\r\n"),
            (b"HTTP/1.1\r\n\r\n", b"NATS/1.0\r\n\r\n"),
            (b"", b"NATS/1.0\r\n\r\n"),
        ] {
            let input = [hmsg(headers, b"payload"), b"PING\r\n".to_vec()].concat();
            let expected = [hmsg(left, b"payload"), b"PING\r\n".to_vec()].concat();
            let change = Scrubbed { subject: "a".into(), problem: "its headers", is_left_out: false };
            for size in [1, 5, 1_000] {
                assert_eq!(scrubbed(&input, size), (expected.clone(), vec![change.clone()]), "{headers:?}");
            }
        }
    }

    #[test]
    fn a_message_with_an_unreadable_subject_is_left_out() {
        for message in [
            b"MSG caf\xe9 1 3\r\nabc\r\n".to_vec(),
            b"HMSG a\xe2\x80\x83b 1 12 15\r\nNATS/1.0\r\n\r\nabc\r\n".to_vec(),
        ] {
            let (out, found) = scrubbed(&[message.as_slice(), b"PING\r\n"].concat(), 4);
            assert_eq!(out, b"PING\r\n");
            assert!(found.len() == 1 && found[0].is_left_out, "{found:?}");
        }
    }

    #[test]
    fn what_is_no_nats_is_an_error() {
        for input in [
            b"MSG a b\r\n".as_slice(),
            b"HMSG a 1 9 3\r\n",
            b"MSG a 1 99999999999\r\n",
            &[b'x'; LINE_MAX + 1],
        ] {
            let result = Scrubber::default().pass(input, &mut Vec::new(), |_| {});
            assert_eq!(result, Err(NotNats));
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_any_pieces_give_the_same(input in proptest::collection::vec(any::<u8>(), 0..300), size in 1..40_usize) {
            let all = |size: usize| {
                let (mut scrubber, mut out) = (Scrubber::default(), Vec::new());
                let result = input.chunks(size).try_for_each(|piece| scrubber.pass(piece, &mut out, |_| {}));
                (result, out)
            };
            let (whole, pieces) = (all(input.len().max(1)), all(size));
            prop_assert_eq!(whole.0, pieces.0);
            if whole.0.is_ok() {
                prop_assert_eq!(whole.1, pieces.1);
            }
        }
    }
}
