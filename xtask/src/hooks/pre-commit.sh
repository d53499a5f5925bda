#!/bin/sh
# Installed by `cargo xtask hooks`.
# Checks the format and runs clippy on the packages whose files are staged.
set -eu

staged=$(git diff --cached --name-only --diff-filter=ACMR -- '*.rs' '*Cargo.toml')
[ -n "$staged" ] || exit 0

packages=$(printf '%s\n' "$staged" |
    sed -n -E 's#^(crates|workers)/([^/]+)/.*#\1 \2#p; s#^xtask/wasm-bindgen/.*#tool xtask-wasm-bindgen#p; s#^xtask/(src|Cargo).*#tool xtask#p' |
    sort -u)
[ -n "$packages" ] || exit 0

printf '%s\n' "$packages" | while read -r kind name; do
    case $kind in
        workers) package=clawless-$name target='--target wasm32-unknown-unknown' ;;
        *) package=$name target='' ;;
    esac
    case $package in
        clawless-edge) target='--target wasm32-unknown-unknown' ;;
    esac
    cargo fmt --package "$package" --check
    # The target is one word or two: it must be split.
    # shellcheck disable=SC2086
    cargo clippy --quiet --package "$package" $target -- -D warnings
done
