//! What a server, or somebody in front of one, may send: valid operations, odd ones, and both with bytes changed.

use arbitrary::{Result, Unstructured};

/// Bytes of a server that means harm or is broken, made from arbitrary ones.
///
/// # Errors
/// The input is at its end.
pub fn server_bytes(input: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for _ in 0..input.int_in_range(1..=4)? {
        let mut piece = operation(input)?;
        for _ in 0..input.int_in_range(0..=2)? {
            mutate(&mut piece, input)?;
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

fn operation(input: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let template: &&str = input.choose(&OPERATIONS)?;
    let mut text = (*template).to_owned();
    while text.contains("{sid}") {
        let sid = input.int_in_range(0..=7)?;
        text = text.replacen("{sid}", &sid.to_string(), 1);
    }
    // A byte that is no UTF-8.
    Ok(text
        .chars()
        .flat_map(|letter| if letter == '~' { vec![0xE9] } else { letter.to_string().into_bytes() })
        .collect())
}

/// Changes, removes, repeats or adds some bytes.
fn mutate(bytes: &mut Vec<u8>, input: &mut Unstructured<'_>) -> Result<()> {
    let at = input.int_in_range(0..=bytes.len().saturating_sub(1))?;
    let end = input.int_in_range(at..=bytes.len().min(at + 16))?;
    match input.int_in_range(0..=4)? {
        0 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << (end % 8)),
        1 => drop(bytes.drain(at..end)),
        2 => {
            let again = bytes[at..end].to_vec();
            bytes.splice(at..at, again);
        }
        3 => {
            let added: [u8; 3] = input.arbitrary()?;
            bytes.splice(at..at, added);
        }
        _ => bytes.truncate(at),
    }
    Ok(())
}

/// `~` stands for a byte that is no UTF-8, `{sid}` for the number of a subscription that may exist.
const OPERATIONS: [&str; 44] = [
    "+OK\r\n",
    "PING\r\n",
    "PONG\r\n",
    "PONG\r\nPONG\r\nPONG\r\n",
    "-ERR 'Unknown Protocol Operation'\r\n",
    "-ERR 'Authorization Violation'\r\n",
    "-ERR 'Authentication Timeout'\r\n",
    "-ERR 'User Authentication Expired'\r\n",
    "-ERR 'Account Authentication Revoked'\r\n",
    "-ERR 'Permissions Violation for Subscription to \"steady\"'\r\n",
    "-ERR 'Permissions Violation for Publish to \"other\"'\r\n",
    "-ERR 'Permissions Violation for Subscription to \"_INBOX.x.*\" using queue \"q\"'\r\n",
    "-ERR 'maximum connections exceeded'\r\n",
    "-ERR 'maximum account active connections exceeded'\r\n",
    "-ERR 'maximum subscriptions exceeded'\r\n",
    "-ERR 'maximum control line exceeded'\r\n",
    "-ERR 'Maximum Payload Violation'\r\n",
    "-ERR 'Invalid Client Protocol'\r\n",
    "-ERR 'Stale Connection'\r\n",
    "-ERR 'Slow Consumer'\r\n",
    "-ERR 'Server Shutdown'\r\n",
    "-ERR 'Connection throttling is active. Please try again later.'\r\n",
    "-ERR ~'\r\n",
    "-ERR\r\n",
    "INFO {\"server_id\":\"X\",\"cluster\":\"evil\",\"max_payload\":0}\r\n",
    "INFO {\"server_id\":\"Y\",\"max_payload\":-1,\"headers\":false}\r\n",
    "INFO {\"server_id\":\"\",\"ldm\":true}\r\n",
    "INFO {\"connect_urls\":[\"127.0.0.1:1\",\"[::1]:0\",\"~\",\"\",\"a b:3\",\"nats://u:p@127.0.0.1:2\"]}\r\n",
    "INFO {\"tls_required\":true,\"auth_required\":true,\"nonce\":\"\"}\r\n",
    "INFO {}\r\n",
    "INFO []\r\n",
    "INFO {\"server_id\":1e400,\"port\":\"x\"}\r\n",
    "MSG steady {sid} 5\r\nhello\r\n",
    "MSG steady {sid} _INBOX.reply 0\r\n\r\n",
    "MSG steady 18446744073709551616 1\r\nx\r\n",
    "MSG other {sid} 1048577\r\nshort\r\n",
    "MSG other {sid} -1\r\n\r\n",
    "MSG steady {sid}\r\n",
    "HMSG steady {sid} 12 14\r\nNATS/1.0\r\n\r\nhi\r\n",
    "HMSG steady {sid} 23 25\r\nNATS/1.0\r\nMy Key: x\r\n\r\nhi\r\n",
    "HMSG steady {sid} 21 23\r\nNATS/1.0\r\nnocolon\r\n\r\nhi\r\n",
    "HMSG steady {sid} 18 20\r\nNATS/1.0\r\na: ~\r\n\r\nhi\r\n",
    "HMSG steady {sid} 30 30\r\nNATS/1.0 503 No Responders\r\n\r\n\r\n",
    "HMSG steady {sid} 99 3\r\nNATS/1.0\r\n\r\n\r\n",
];
