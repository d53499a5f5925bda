//! No import cycles between the files of a crate.
//!
//! Rust allows cycles, but files that import each other can only be understood together. An edge goes
//! from the file that uses an item to the file that defines it. Re-exports are followed to their origin, so
//! a re-export is no use of the item. Importing a module is a use of its file.

mod graph;
mod module;

use std::collections::{BTreeMap, BTreeSet};

use super::source_file::SourceFile;

use self::{
    graph::Edges,
    module::{Module, Path},
};

/// The crates whose files must not import each other in circles.
const CRATES: [&str; 16] = [
    "bench/src/",
    "crates/clawless-api/src/",
    "crates/clawless-classifier/src/",
    "crates/clawless-cli/src/",
    "crates/clawless-core/src/",
    "crates/clawless-edge/src/",
    "crates/clawless-llm/src/",
    "crates/clawless-local-model/src/",
    "crates/clawless-openapi/src/",
    "crates/clawless-seed/src/",
    "crates/clawless-store/src/",
    "crates/clawless-testkit/src/",
    "workers/admin/src/",
    "workers/gateway/src/",
    "workers/widget-server/src/",
    "xtask/src/",
];

/// Longest chain of re-exports that is followed.
const MAX_REEXPORTS: usize = 16;

/// Import cycles, and files that can't be parsed.
pub(super) fn cycles(files: &[SourceFile]) -> Vec<String> {
    CRATES
        .iter()
        .flat_map(|root| match Crate::parse(root, files) {
            Ok(parsed) => graph::cycles(&parsed.edges()),
            Err(breach) => vec![breach],
        })
        .collect()
}

/// The modules of one crate.
struct Crate {
    modules: BTreeMap<Path, Module>,
    /// The file of each module, inline modules included.
    files: BTreeMap<Path, String>,
}

impl Crate {
    fn parse(root: &str, files: &[SourceFile]) -> Result<Self, String> {
        let mut sources: BTreeMap<Path, (&str, syn::File)> = BTreeMap::new();
        let mut for_tests = BTreeSet::new();
        for file in files.iter().filter(|file| file.is("rs")) {
            let Some(path) = file.path.strip_prefix(root).and_then(module_path) else {
                continue;
            };
            let parsed = super::rust::production(&file.text)
                .map_err(|error| format!("{} can't be parsed: {error}", file.path))?;
            for name in parsed.test_modules {
                for_tests.insert([path.clone(), vec![name]].concat());
            }
            sources.insert(path, (&file.path, parsed.tree));
        }
        sources.retain(|path, _| !for_tests.iter().any(|test| path.starts_with(test)));
        let mut files: BTreeMap<Path, String> = sources
            .iter()
            .map(|(path, (file, _))| (path.clone(), (*file).to_owned()))
            .collect();
        for (path, (file, tree)) in &sources {
            for inline in module::inline_modules(path, tree) {
                files.insert(inline, (*file).to_owned());
            }
        }
        let known: BTreeSet<Path> = files.keys().cloned().collect();
        let mut modules = BTreeMap::new();
        for (path, (_, tree)) in &sources {
            module::read(path, tree, &known, &mut modules);
        }
        Ok(Self { modules, files })
    }

    fn edges(&self) -> Edges {
        let mut edges = Edges::new();
        for (path, module) in &self.modules {
            let Some(from) = self.files.get(path) else {
                continue;
            };
            for reference in &module.references {
                if let Some((to, name)) = self.definition(reference, MAX_REEXPORTS)
                    && to != *from
                {
                    let targets = edges.entry(from.clone()).or_default();
                    targets.entry(to).or_default().insert(name);
                }
            }
        }
        edges
    }

    /// The file that defines an item or a module, and its name.
    fn definition(&self, path: &[String], depth: usize) -> Option<(String, String)> {
        let depth = depth.checked_sub(1)?;
        let is_module = |end: &usize| {
            // The root is a module of every crate.
            *end == 0
                || path
                    .get(..*end)
                    .is_some_and(|path| self.files.contains_key(path))
        };
        let end = (0..=path.len()).take_while(is_module).last()?;
        let (parent, rest) = path.split_at(end);
        let Some((name, members)) = rest.split_first() else {
            return Some((self.files.get(parent)?.clone(), parent.last()?.clone()));
        };
        if parent.is_empty() {
            let mut modules = self.modules.iter();
            if let Some((path, _)) = modules.find(|(_, module)| module.macros.contains(name)) {
                return Some((self.files.get(path)?.clone(), name.clone()));
            }
        }
        if let Some(module) = self.modules.get(parent) {
            if let Some(origin) = module.imports.get(name) {
                return self.definition(&[origin, members].concat(), depth);
            }
            if !module.items.contains(name) {
                let has = |module: &Module| {
                    module.items.contains(name) || module.imports.contains_key(name)
                };
                let mut globs = module.globs.iter();
                if let Some(glob) = globs.find(|glob| self.modules.get(*glob).is_some_and(has)) {
                    return self.definition(&[glob.as_slice(), rest].concat(), depth);
                }
            }
        }
        Some((self.files.get(parent)?.clone(), name.clone()))
    }
}

/// A file's module path: `chat::model` for `chat/model.rs`, nothing for `lib.rs`.
fn module_path(file: &str) -> Option<Path> {
    let stem = file.strip_suffix(".rs")?;
    let stem = stem.strip_suffix("/mod").unwrap_or(stem);
    if ["lib", "main"].contains(&stem) {
        return Some(Path::new());
    }
    Some(stem.split('/').map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::{super::source_file::file, *};

    fn of(sources: &[(&str, &str)]) -> Vec<String> {
        let root = "workers/gateway/src/";
        let files = sources
            .iter()
            .map(|(path, text)| file(&format!("{root}{path}"), text));
        let found = cycles(&files.collect::<Vec<_>>());
        found.iter().map(|line| line.replace(root, "")).collect()
    }

    #[test]
    fn files_that_import_each_other_are_a_cycle() {
        let found = of(&[
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "use crate::b::{self, Two};"),
            (
                "b.rs",
                "pub struct Two; fn f() -> usize { crate::a::g::<u8>(1) }",
            ),
        ]);
        assert_eq!(found, ["a.rs → b.rs (Two, b) → a.rs (g)"]);
    }

    #[test]
    fn a_cycle_of_three_is_found_through_super_and_module_names() {
        let found = of(&[
            ("lib.rs", "mod a; mod b; mod c;"),
            ("a.rs", "use super::b; fn f() { b::g() }"),
            ("b.rs", "pub fn g() { log!(\"{}\", crate::c::h()) }"),
            ("c.rs", "pub fn h() { let x: super::a::T = 1; }"),
        ]);
        assert_eq!(found, ["a.rs → b.rs (b, g) → c.rs (h) → a.rs (T)"]);
    }

    #[test]
    fn importing_a_module_is_a_use_of_its_file() {
        let found = of(&[
            ("a.rs", "use crate::b; pub(in crate::b) fn f() {}"),
            ("b.rs", "use super::a as other;"),
        ]);
        assert_eq!(found, ["a.rs → b.rs (b) → a.rs (a)"]);
    }

    #[test]
    fn a_parent_and_its_child_can_be_a_cycle() {
        let parent = "mod one; use one::f; pub struct Shared; fn g() { f() }";
        let found = of(&[
            ("chat/mod.rs", parent),
            ("chat/one.rs", "use super::Shared; pub fn f() {}"),
        ]);
        assert_eq!(
            found,
            ["chat/mod.rs → chat/one.rs (f) → chat/mod.rs (Shared)"]
        );
    }

    #[test]
    fn a_re_export_leads_to_the_file_that_defines_the_name() {
        let modules = [
            ("lib.rs", "mod a; mod b; pub use a::One; pub use b::*;"),
            ("a.rs", "pub struct One(Two); pub use crate::b::Two;"),
            ("b.rs", "pub struct Two; pub struct Three;"),
            ("c.rs", "use crate::{One, Three}; use super::a::Two;"),
        ];
        assert_eq!(of(&modules), Vec::<String>::new());
        let back = [
            modules.as_slice(),
            &[("b.rs", "use crate::One; pub struct Two;")],
        ]
        .concat();
        let found = of(&[back[0], back[1], back[4], back[3]]);
        assert_eq!(found, ["a.rs → b.rs (Two) → a.rs (One)"]);
    }

    #[test]
    fn a_re_export_is_no_use_unless_the_file_uses_the_name() {
        let child = ("a/one.rs", "use super::shared; pub fn f() {}");
        let parent =
            |rest: &str| format!("mod one; pub(crate) use one::f; pub fn shared() {{ {rest} }}");
        assert_eq!(of(&[("a.rs", &parent("")), child]), Vec::<String>::new());
        let found = of(&[("a.rs", &parent("f()")), child]);
        assert_eq!(found, ["a.rs → a/one.rs (f) → a.rs (shared)"]);
    }

    #[test]
    fn comments_texts_and_test_code_are_no_imports() {
        let found = of(&[
            ("a.rs", "use crate::b::f;"),
            (
                "b.rs",
                "// crate::a::g\n/// crate::a::g\npub fn f() { \"crate::a::g\"; }\n\
                 #[cfg(test)] mod tests { use crate::a::g; }\n#[cfg(test)] mod cases;",
            ),
            ("b/cases.rs", "use crate::a::g;"),
        ]);
        assert_eq!(found, Vec::<String>::new());
    }

    #[test]
    fn a_file_that_is_no_rust_is_named() {
        assert_eq!(of(&[("a.rs", "fn (")]).len(), 1);
    }
}
