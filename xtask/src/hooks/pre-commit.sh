#!/bin/sh
# Installed by `cargo xtask hooks`.
# Looks at what is staged, whatever the working tree holds: the format of it all, and clippy on the
# packages concerned.
set -eu

changed=$(git diff --cached --name-only --no-renames)
concerns() { printf '%s\n' "$changed" | grep -q -E "$1"; }
of_all='^(\.cargo/.*|Cargo\.(toml|lock)|clippy\.toml|rust-toolchain\.toml)$'
concerns "$of_all" || concerns '^(crates|workers|xtask)/' || exit 0

# The staged files, in a folder of their own. Only those that differ from the last time are written,
# so that Cargo finds most of its work done; it shares the checkout's target folder.
root=$(git rev-parse --show-toplevel)
staged=$root/.clawless/staged
mkdir -p "$staged"
tree=$(git write-tree)
GIT_INDEX_FILE=$staged.index git --work-tree="$staged" read-tree -u --reset "$tree"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$root/target}"
cd "$staged"

cargo fmt --all --check

if concerns "$of_all"; then
    folders=$(find bench crates workers xtask -maxdepth 2 -name Cargo.toml 2>/dev/null | sed 's#/Cargo\.toml$##')
else
    folders=$(printf '%s\n' "$changed" | sed -n -E 's#^((crates|workers)/[^/]+|bench|xtask/wasm-bindgen|xtask)/.*#\1#p' | sort -u)
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
# The names must be split into words.
# shellcheck disable=SC2086
[ -z "$native" ] || cargo clippy --quiet --all-targets $native -- -D warnings
# shellcheck disable=SC2086
[ -z "$wasm" ] || cargo clippy --quiet --lib --target wasm32-unknown-unknown $wasm -- -D warnings
