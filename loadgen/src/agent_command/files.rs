//! The files that an agent accepts: only into a folder that its operator named, and only under plain names.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::ops::{Channel, FileOrder, FileOrders, FileStored};

/// Takes files until the connection ends.
pub(super) async fn take(channel: &Channel, mut orders: FileOrders, folder: Option<&Path>) {
    while let Some(question) = orders.next().await {
        let stored = match (&question.order, folder) {
            (Err(reason), _) => Err(reason.clone()),
            (Ok(_), None) => Err("the agent takes no files: start it with --files DIR".to_owned()),
            (Ok(order), Some(folder)) => store(channel, order, folder).await,
        };
        match &stored {
            Ok(FileStored { path }) => eprintln!("stored {}", path.display()),
            Err(reason) => eprintln!("refused a file: {reason}"),
        }
        question.answer(stored).await;
    }
}

async fn store(channel: &Channel, order: &FileOrder, folder: &Path) -> Result<FileStored, String> {
    check_name(&order.name)?;
    if order.size > LARGEST {
        return Err(format!("the file has {} bytes, but agents take at most {LARGEST}", order.size));
    }
    let failed = |error: std::io::Error| format!("cannot write into {}: {error}", folder.display());
    std::fs::create_dir_all(folder).map_err(failed)?;
    // Dropped before it has its name, it goes.
    let part = tempfile::Builder::new().prefix(".part-").tempfile_in(folder).map_err(failed)?;
    let mut file = tokio::fs::File::from_std(part.reopen().map_err(failed)?);
    channel.fetch_file(order, &mut file).await.map_err(|error| error.to_string())?;
    let mode = if order.executable { 0o700 } else { 0o600 };
    std::fs::set_permissions(part.path(), std::fs::Permissions::from_mode(mode)).map_err(failed)?;
    let path = folder.join(&order.name);
    part.persist(&path).map_err(|error| failed(error.error))?;
    Ok(FileStored { path: std::path::absolute(&path).unwrap_or(path) })
}

/// Checks a name that another machine chose: it must stay in the folder, and be no hidden file.
///
/// # Errors
/// The sentence that says how it must be.
pub(super) fn check_name(name: &str) -> Result<(), String> {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || ".-_".contains(letter);
    if (1..=LONGEST_NAME).contains(&name.len()) && !name.starts_with('.') && name.chars().all(is_plain) {
        return Ok(());
    }
    Err(format!(
        "`{}` is no name of a file for agents: use at most {LONGEST_NAME} letters, digits, `.`, `-` and `_`, and no `.` in \
         front",
        name.escape_debug()
    ))
}

/// Binaries of servers have 20 MB. More than this is a mistake that would fill disks.
const LARGEST: u64 = 4 << 30;

/// File systems take 255 bytes; nobody reads such a name.
const LONGEST_NAME: usize = 100;

/// Returns the name under which agents store a file.
///
/// # Errors
/// See [`check_name`].
pub(super) fn name_of(path: &Path, chosen: Option<String>) -> Result<String, String> {
    let own = || path.file_name().map(|name| name.to_string_lossy().into_owned());
    let name = chosen.or_else(own).unwrap_or_default();
    check_name(&name).map(|()| name)
}

/// Returns whether the owner of a file may execute it.
pub(super) fn is_executable(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o100 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_in_the_folder() {
        for name in ["nats-server", "a", "data_1.json", &"x".repeat(100)] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
        for name in [
            "",
            ".",
            "..",
            ".profile",
            "a/b",
            "../x",
            "/etc/passwd",
            "a\\b",
            "a b",
            "ä",
            "a\0",
            &"x".repeat(101),
        ] {
            let error = check_name(name).unwrap_err();
            assert!(error.contains("use at most 100 letters"), "{name}: {error}");
        }
    }

    #[test]
    fn the_name_is_that_of_the_file_unless_one_is_chosen() {
        assert_eq!(name_of(Path::new("/usr/bin/nats"), None).as_deref(), Ok("nats"));
        assert_eq!(name_of(Path::new("/usr/bin/nats"), Some("cli".to_owned())).as_deref(), Ok("cli"));
        assert!(name_of(Path::new("/tmp/my file"), None).is_err());
        assert!(name_of(Path::new("/"), None).is_err());
    }
}
