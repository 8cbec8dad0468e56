//! Repeated looks at a super-cluster.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use super::LookError;

/// Looks once, or until the process ends or nobody reads the output.
///
/// # Errors
/// The first look failed, or the output takes no text.
pub(super) async fn repeat(
    every: Option<Duration>,
    mut look: impl AsyncFnMut() -> Result<String, LookError>,
) -> Result<(), LookError> {
    match print_looks(every, &mut look).await {
        Err(LookError::Closed) => Ok(()),
        ended => ended,
    }
}

async fn print_looks(
    every: Option<Duration>,
    look: &mut impl AsyncFnMut() -> Result<String, LookError>,
) -> Result<(), LookError> {
    let is_terminal = io::stdout().is_terminal();
    let text = look().await?;
    let Some(every) = every else { return write(&format!("{text}\n")) };
    write(&frame(&text, is_terminal, true))?;
    loop {
        tokio::time::sleep(every).await;
        match look().await {
            Ok(text) => write(&frame(&text, is_terminal, false))?,
            // Servers that restart come back.
            Err(error) => eprintln!("loadgen: {error}"),
        }
    }
}

/// The bytes of one look: on a terminal it takes the place of the last one, elsewhere it follows.
fn frame(text: &str, is_terminal: bool, is_first: bool) -> String {
    const CLEAR: &str = "\x1b[2J\x1b[H";
    match (is_terminal, is_first) {
        (true, _) => format!("{CLEAR}{text}\n"),
        (false, true) => format!("{text}\n"),
        // JSON comes as one line per look, tables need a gap.
        (false, false) if !text.contains('\n') => format!("{text}\n"),
        (false, false) => format!("\n{text}\n"),
    }
}

fn write(text: &str) -> Result<(), LookError> {
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    match written {
        // The reader, such as `head`, has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(LookError::Closed),
        written => written.map_err(LookError::Output),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_cleared_and_a_file_is_not() {
        assert_eq!(frame("a", true, false), "\x1b[2J\x1b[Ha\n");
        assert_eq!(frame("a\nb", false, true), "a\nb\n");
        assert_eq!(frame("a\nb", false, false), "\na\nb\n");
        assert_eq!(frame("{}", false, false), "{}\n");
    }
}
