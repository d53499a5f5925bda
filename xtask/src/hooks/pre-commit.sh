#!/bin/sh
# Installed by `cargo xtask hooks`.
# Checks the staged files, not the working tree: the format of all files, and clippy of affected packages.
set -eu

changed=$(git diff --cached --name-only --no-renames)
affects() { printf '%s\n' "$changed" | grep -q -E "$1"; }
root_files='^(\.cargo/.*|Cargo\.(toml|lock)|clippy\.toml|rust-toolchain\.toml)$'
affects "$root_files" || affects '^(bench|crates|workers|xtask)/' || exit 0

# A copy of the staged files. Only changed files are written and the target folder is shared, so that
# Cargo rebuilds little.
root=$(git rev-parse --show-toplevel)
staged=$root/.clawless/staged
mkdir -p "$staged"
tree=$(git write-tree)
GIT_INDEX_FILE=$staged.index git --work-tree="$staged" read-tree -u --reset "$tree"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$root/target}"
cd "$staged"

cargo fmt --all --check

if affects "$root_files"; then
    folders=$(find bench crates workers xtask -maxdepth 2 -name Cargo.toml 2>/dev/null | sed 's#/Cargo\.toml$##')
else
    folders=$(printf '%s\n' "$changed" | sed -n -E 's#^((crates|workers)/[^/]+|xtask/wasm-bindgen|xtask|bench)/.*#\1#p' | sort -u)
fi
native='' wasm=''
for folder in $folders; do
    [ -f "$folder/Cargo.toml" ] || continue
    package=$(sed -n -E 's/^name = "(.*)"$/\1/p' "$folder/Cargo.toml" | head -n 1)
    native="$native --package $package"
    case $folder in
        workers/* | crates/clawless-edge) wasm="$wasm --package $package" ;;
    esac
done
# Word splitting is intended.
# shellcheck disable=SC2086
[ -z "$native" ] || cargo clippy --quiet --all-targets $native -- -D warnings
# shellcheck disable=SC2086
[ -z "$wasm" ] || cargo clippy --quiet --lib --target wasm32-unknown-unknown $wasm -- -D warnings
