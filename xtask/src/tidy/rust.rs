//! Rust sources as syntax trees, without the code that only tests have.

use syn::{
    Attribute, File, ImplItem, Item, ItemImpl, ItemMod, Meta, Stmt, Token,
    punctuated::Punctuated,
    visit_mut::{self, VisitMut},
};

/// A file without its test-only items.
pub(super) struct Production {
    /// The syntax tree that is left.
    pub(super) tree: File,
    /// The names of the modules in files of their own that only tests have.
    pub(super) test_modules: Vec<String>,
}

/// Parses a file and removes what `#[cfg(test)]` marks.
pub(super) fn production(text: &str) -> syn::Result<Production> {
    let mut tree = syn::parse_file(text)?;
    let mut pruning = Pruning::default();
    pruning.visit_file_mut(&mut tree);
    Ok(Production {
        tree,
        test_modules: pruning.test_modules,
    })
}

#[derive(Default)]
struct Pruning {
    test_modules: Vec<String>,
}

impl Pruning {
    fn prune(&mut self, items: &mut Vec<Item>) {
        items.retain(|item| {
            let for_tests = attributes(item).iter().any(is_for_tests);
            if let (true, Item::Mod(module)) = (for_tests, item) {
                self.test_modules.push(module.ident.to_string());
            }
            !for_tests
        });
    }
}

impl VisitMut for Pruning {
    fn visit_file_mut(&mut self, file: &mut File) {
        self.prune(&mut file.items);
        visit_mut::visit_file_mut(self, file);
    }

    fn visit_item_mod_mut(&mut self, module: &mut ItemMod) {
        if let Some((_, items)) = &mut module.content {
            self.prune(items);
        }
        visit_mut::visit_item_mod_mut(self, module);
    }

    fn visit_item_impl_mut(&mut self, block: &mut ItemImpl) {
        block.items.retain(|item| {
            let attributes: &[Attribute] = match item {
                ImplItem::Fn(function) => &function.attrs,
                ImplItem::Const(constant) => &constant.attrs,
                _ => &[],
            };
            !attributes.iter().any(is_for_tests)
        });
        visit_mut::visit_item_impl_mut(self, block);
    }

    fn visit_block_mut(&mut self, block: &mut syn::Block) {
        block.stmts.retain(|statement| {
            !matches!(statement, Stmt::Item(item) if attributes(item).iter().any(is_for_tests))
        });
        visit_mut::visit_block_mut(self, block);
    }
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::ForeignMod(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

fn is_for_tests(attribute: &Attribute) -> bool {
    attribute.path().is_ident("cfg")
        && attribute
            .parse_args::<Meta>()
            .is_ok_and(|condition| needs_test(&condition))
}

/// Whether a condition of `cfg` holds in test builds only.
fn needs_test(condition: &Meta) -> bool {
    match condition {
        Meta::Path(path) => path.is_ident("test"),
        Meta::List(list) if list.path.is_ident("all") => list
            .parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated)
            .is_ok_and(|parts| parts.iter().any(needs_test)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_test_code_is_removed() {
        let text = "#[cfg(test)] mod support; #[cfg(all(test, unix))] use a::b; #[cfg(not(test))] fn f() {}\n\
                    impl T { #[cfg(test)] fn g() {} }\n\
                    #[cfg(feature = \"test-faults\")] fn h() {}";
        let Production { tree, test_modules } = production(text).unwrap();
        assert_eq!(test_modules, ["support"]);
        assert_eq!(tree.items.len(), 3);
        assert!(matches!(&tree.items[1], Item::Impl(block) if block.items.is_empty()));
    }
}
