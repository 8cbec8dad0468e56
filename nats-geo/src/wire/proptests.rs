//! Property tests of the codec with arbitrary input.

use proptest::prelude::*;

use super::{ClientOp, DecodeError, Decoder, ServerOp};

/// All operations of `input`, fed in pieces of these sizes (again and again), and how it ended.
fn decode(input: &[u8], sizes: &[usize]) -> (Vec<ServerOp<'static>>, Option<DecodeError>) {
    let mut decoder = Decoder::with_max_payload(PAYLOAD_MAX);
    let mut ops = Vec::new();
    let mut rest = input;
    for size in sizes.iter().cycle() {
        let (piece, later) = rest.split_at(rest.len().min(*size));
        decoder.feed(piece);
        loop {
            match decoder.next_op() {
                Ok(Some(op)) => ops.push(op.leaked()),
                Ok(None) => break,
                Err(error) => return (ops, Some(error)),
            }
        }
        rest = later;
        if rest.is_empty() {
            break;
        }
    }
    (ops, None)
}

/// Small, so that arbitrary input reaches the limit.
const PAYLOAD_MAX: usize = 512;

fn operation() -> impl Strategy<Value = Vec<u8>> {
    let payload = || proptest::collection::vec(any::<u8>(), 0..64);
    prop_oneof![
        Just(b"PING\r\n".to_vec()),
        Just(b"+OK\r\n".to_vec()),
        Just(b"-ERR 'Stale Connection'\r\n".to_vec()),
        "[a-z]{1,9}".prop_map(|name| format!("INFO {{\"server_name\":\"{name}\"}}\r\n").into_bytes()),
        ("[a-z.]{1,9}", any::<u64>(), payload()).prop_map(|(subject, sid, payload)| {
            let line = format!("MSG {subject} {sid} {}\r\n", payload.len());
            [line.as_bytes(), &payload, b"\r\n"].concat()
        }),
        ("[a-z.]{1,9}", payload()).prop_map(|(subject, payload)| {
            let headers = b"NATS/1.0\r\nA: b\r\n\r\n";
            let line =
                format!("HMSG {subject} 1 re.ply {} {}\r\n", headers.len(), headers.len() + payload.len());
            [line.as_bytes(), headers, &payload, b"\r\n"].concat()
        }),
    ]
}

proptest! {
    #[test]
    fn any_split_gives_the_same_operations(
        ops in proptest::collection::vec(operation(), 1..20),
        sizes in proptest::collection::vec(1_usize..40, 1..8),
    ) {
        let input = ops.concat();
        let whole = decode(&input, &[input.len()]);
        prop_assert_eq!(whole.0.len(), ops.len());
        prop_assert_eq!(&whole.1, &None);
        prop_assert_eq!(decode(&input, &sizes), whole);
    }

    #[test]
    fn arbitrary_bytes_never_panic_and_split_alike(
        input in proptest::collection::vec(any::<u8>(), 0..2_000),
        sizes in proptest::collection::vec(1_usize..100, 1..8),
    ) {
        prop_assert_eq!(decode(&input, &[usize::MAX]), decode(&input, &sizes));
    }

    #[test]
    fn memory_stays_bounded_whatever_comes(start in "(INFO |MSG a 1 |HMSG a 1 1 |x)", fill in any::<u8>()) {
        let mut decoder = Decoder::with_max_payload(PAYLOAD_MAX);
        decoder.feed(start.as_bytes());
        for _ in 0..200 {
            decoder.feed(&[fill; 1_024]);
            while let Ok(Some(_)) = decoder.next_op() {}
            prop_assert!(decoder.kept() <= (64 << 10) + 1_024, "{} bytes kept", decoder.kept());
        }
    }

    #[test]
    fn what_is_published_can_be_read_back(subject in "[a-z]{1,9}(\\.[a-z]{1,9}){0,3}", payload: Vec<u8>) {
        let mut out = Vec::new();
        ClientOp::Pub { subject: &subject, reply: None, headers: None, payload: &payload }.encode(&mut out).unwrap();
        let delivered = [b"MSG ", &out[4..4 + subject.len()], b" 1", &out[4 + subject.len()..]].concat();
        let mut decoder = Decoder::new();
        decoder.feed(&delivered);
        let Ok(Some(ServerOp::Msg(message))) = decoder.next_op() else { panic!("a message") };
        prop_assert_eq!(message.subject, subject.as_bytes());
        prop_assert_eq!(message.payload, &payload[..]);
    }
}
