//! What a module defines, imports and mentions.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{TokenStream, TokenTree};
use syn::{
    Attribute, File, Item, ItemMod, ItemUse, Macro, Meta, UseTree, Visibility,
    visit::{self, Visit},
};

/// A path from the root of the crate.
pub(super) type Path = Vec<String>;

/// A module of a crate, in a file of its own or inline.
#[derive(Debug, Default)]
pub(super) struct Module {
    /// The items that it defines.
    pub(super) items: BTreeSet<String>,
    /// Those of them that are macros, which a crate exports from its root.
    pub(super) macros: BTreeSet<String>,
    /// The names that it imports or re-exports from this crate, and their paths.
    pub(super) imports: BTreeMap<String, Path>,
    /// The modules of this crate whose items it imports with `*`.
    pub(super) globs: BTreeSet<Path>,
    /// The items of this crate that it uses.
    pub(super) references: BTreeSet<Path>,
}

/// The inline modules of a file, at any depth.
pub(super) fn inline_modules(path: &[String], tree: &File) -> Vec<Path> {
    struct Inline {
        path: Path,
        found: Vec<Path>,
    }
    impl<'ast> Visit<'ast> for Inline {
        fn visit_item_mod(&mut self, module: &'ast ItemMod) {
            if module.content.is_some() {
                self.path.push(module.ident.to_string());
                self.found.push(self.path.clone());
                visit::visit_item_mod(self, module);
                self.path.pop();
            }
        }
    }
    let mut inline = Inline {
        path: path.to_vec(),
        found: Vec::new(),
    };
    inline.visit_file(tree);
    inline.found
}

/// Reads a file's module and its inline modules. `known` are all modules of the crate.
pub(super) fn read(
    path: &[String],
    tree: &File,
    known: &BTreeSet<Path>,
    modules: &mut BTreeMap<Path, Module>,
) {
    // Imports are read first, since uses may go by an imported name.
    for uses in [false, true] {
        let mut reader = Reader {
            path: path.to_vec(),
            known,
            modules,
            uses,
        };
        reader.modules.entry(path.to_vec()).or_default();
        reader.visit_file(tree);
    }
}

struct Reader<'a> {
    path: Path,
    known: &'a BTreeSet<Path>,
    modules: &'a mut BTreeMap<Path, Module>,
    /// Whether this is the second reading, which collects uses.
    uses: bool,
}

impl Reader<'_> {
    fn module(&mut self) -> &mut Module {
        self.modules.entry(self.path.clone()).or_default()
    }

    /// A path from the root of the crate; none for one that leads into another crate.
    fn absolute(&self, segments: &[String]) -> Option<Path> {
        let (first, rest) = segments.split_first()?;
        let mut base = self.path.clone();
        match first.as_str() {
            "crate" => return Some(rest.to_vec()),
            "self" => {}
            "super" => {
                base.pop();
                let ups = rest.iter().take_while(|part| *part == "super").count();
                base.truncate(base.len().saturating_sub(ups));
                return Some([base.as_slice(), rest.get(ups..)?].concat());
            }
            name => {
                let child = [base.as_slice(), segments.get(..1)?].concat();
                if self.known.contains(&child) {
                    return Some([base.as_slice(), segments].concat());
                }
                let module = self.modules.get(&self.path)?;
                return Some([module.imports.get(name)?.as_slice(), rest].concat());
            }
        }
        Some([base.as_slice(), rest].concat())
    }

    fn use_path(&mut self, segments: &[String]) {
        // Other bare names are local.
        let is_imported = |module: &Module| {
            segments.len() == 1
                && segments
                    .iter()
                    .all(|name| module.imports.contains_key(name))
        };
        if (segments.len() > 1 || self.modules.get(&self.path).is_some_and(is_imported))
            && let Some(path) = self.absolute(segments)
        {
            self.module().references.insert(path);
        }
    }

    /// Records an import. A private one counts as a use, a re-export does not.
    fn import(&mut self, tree: &UseTree, prefix: &mut Path, is_private: bool) {
        match tree {
            UseTree::Path(path) => {
                prefix.push(path.ident.to_string());
                self.import(&path.tree, prefix, is_private);
                prefix.pop();
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.import(tree, prefix, is_private);
                }
            }
            UseTree::Name(name) if name.ident == "self" => {
                let alias = prefix.last().cloned();
                self.import_as(prefix, alias, is_private);
            }
            UseTree::Name(name) => {
                let name = name.ident.to_string();
                let path = [prefix.as_slice(), std::slice::from_ref(&name)].concat();
                self.import_as(&path, Some(name), is_private);
            }
            UseTree::Rename(rename) => {
                let alias = Some(rename.rename.to_string()).filter(|alias| alias != "_");
                let name = rename.ident.to_string();
                let full = if name == "self" {
                    prefix.clone()
                } else {
                    [prefix.as_slice(), &[name]].concat()
                };
                self.import_as(&full, alias, is_private);
            }
            UseTree::Glob(_) => {
                if let Some(path) = self.absolute(prefix) {
                    let glob = [path.as_slice(), &["*".to_owned()]].concat();
                    if is_private {
                        self.module().references.insert(glob);
                    }
                    self.module().globs.insert(path);
                }
            }
        }
    }

    fn import_as(&mut self, segments: &[String], alias: Option<String>, is_private: bool) {
        let Some(path) = self.absolute(segments) else {
            return;
        };
        if is_private {
            self.module().references.insert(path.clone());
        }
        if let Some(alias) = alias {
            self.module().imports.insert(alias, path);
        }
    }

    /// Paths among the tokens of a macro call or an attribute.
    fn scan(&mut self, tokens: TokenStream) {
        let mut path = Path::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.use_path(&std::mem::take(&mut path));
                    }
                    path.push(ident.to_string());
                    colons = 0;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                other => {
                    self.use_path(&std::mem::take(&mut path));
                    colons = 0;
                    if let TokenTree::Group(group) = other {
                        self.scan(group.stream());
                    }
                }
            }
        }
        self.use_path(&path);
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        if module.content.is_some() {
            self.path.push(module.ident.to_string());
            visit::visit_item_mod(self, module);
            self.path.pop();
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        if !self.uses && item.leading_colon.is_none() {
            let is_private = matches!(item.vis, Visibility::Inherited);
            self.import(&item.tree, &mut Path::new(), is_private);
        }
    }

    fn visit_item(&mut self, item: &'ast Item) {
        if let Some(name) = name(item) {
            if matches!(item, Item::Macro(_)) {
                self.module().macros.insert(name.clone());
            }
            self.module().items.insert(name);
        }
        visit::visit_item(self, item);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if self.uses && path.leading_colon.is_none() {
            let segments: Path = path
                .segments
                .iter()
                .map(|part| part.ident.to_string())
                .collect();
            self.use_path(&segments);
        }
        visit::visit_path(self, path);
    }

    fn visit_visibility(&mut self, _: &'ast Visibility) {}

    fn visit_macro(&mut self, call: &'ast Macro) {
        if self.uses {
            self.scan(call.tokens.clone());
        }
        visit::visit_macro(self, call);
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if let (true, Meta::List(list)) = (self.uses, &attribute.meta) {
            self.scan(list.tokens.clone());
        }
    }
}

fn name(item: &Item) -> Option<String> {
    let ident = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(ident.to_string())
}
