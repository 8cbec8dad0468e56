//! Standard output. A reader that has seen enough, such as `head`, is no error.

use std::io::{self, Write as _};

/// Prints a line.
///
/// # Errors
/// The operating system's, such as a full disk; not the end of the reader.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// Prints a line of a program that does not end when nobody can read the line: it says so on standard error.
pub(crate) fn print_or_warn(text: &str) {
    if let Err(error) = print(text) {
        eprintln!("loadgen: cannot write to standard output: {error}");
    }
}
