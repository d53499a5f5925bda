//! Files and folders that only their owner can read: the state of a stack contains keys and conversations.

use std::{
    fs::{self, DirBuilder, File, Permissions},
    io,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::Path,
};

use anyhow::{Context, Result};
use nix::sys::stat::{Mode, umask};

const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// Restricts all files that this process and its children create from now on.
pub(crate) fn restrict_new_files() {
    umask(Mode::S_IRWXG | Mode::S_IRWXO);
}

/// Creates a folder and its parents, unless they exist.
pub(crate) fn create_folder(path: &Path) -> Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(FOLDER_MODE)
        .create(path)
        .with_context(|| format!("can't create the folder {}", path.display()))
}

/// Creates an empty file and its folder. Truncates the file if it exists.
pub(crate) fn create_file(path: &Path) -> Result<File> {
    if let Some(folder) = path.parent() {
        create_folder(folder)?;
    }
    let create = || {
        let file = File::create(path)?;
        file.set_permissions(Permissions::from_mode(FILE_MODE))?;
        io::Result::Ok(file)
    };
    create().with_context(|| format!("can't write {}", path.display()))
}

/// Restricts a folder, and not what it contains.
pub(crate) fn restrict_folder(path: &Path) -> Result<()> {
    fs::set_permissions(path, Permissions::from_mode(FOLDER_MODE))
        .with_context(|| format!("can't change the mode of {}", path.display()))
}

/// Restricts a file, or a folder and all it contains. Ignores a path that does not exist; does not
/// follow links.
pub(crate) fn restrict(path: &Path) -> Result<()> {
    restrict_tree(path).with_context(|| format!("can't change the mode of {}", path.display()))
}

fn restrict_tree(path: &Path) -> io::Result<()> {
    let kind = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata.file_type(),
        // It may have been removed in the meantime.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if kind.is_symlink() {
        return Ok(());
    }
    if !kind.is_dir() {
        return fs::set_permissions(path, Permissions::from_mode(FILE_MODE));
    }
    fs::set_permissions(path, Permissions::from_mode(FOLDER_MODE))?;
    for entry in fs::read_dir(path)? {
        restrict_tree(&entry?.path())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn created_and_restricted_files_are_readable_by_their_owner_only() {
        let root = std::env::temp_dir().join(format!("clawless-private-{}", std::process::id()));
        let (folder, file, target) = (
            root.join("folder"),
            root.join("folder/file"),
            root.join("target"),
        );
        drop(create_file(&file).unwrap());
        assert_eq!((mode(&folder), mode(&file)), (0o700, 0o600));
        for path in [&root, &folder, &file] {
            fs::set_permissions(path, Permissions::from_mode(0o777)).unwrap();
        }
        fs::write(&target, "").unwrap();
        fs::set_permissions(&target, Permissions::from_mode(0o644)).unwrap();
        std::os::unix::fs::symlink(&target, folder.join("link")).unwrap();
        restrict(&folder).unwrap();
        restrict(&root.join("missing")).unwrap();
        assert_eq!((mode(&folder), mode(&file)), (0o700, 0o600));
        assert_eq!(mode(&target), 0o644, "links are not followed");
        drop(create_file(&file).unwrap());
        fs::remove_dir_all(root).unwrap();
    }
}
