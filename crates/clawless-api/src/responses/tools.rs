//! The parameters `tools`, `tool_choice` and `text`: this surface's flat shapes as those of chat
//! completions.

use clawless_core::ApiError;
use clawless_core::chat::Verbosity;
use clawless_core::json::Json;
use clawless_core::tool::{FunctionTool, Tool, ToolKind, check_server_tools};

use super::ignored::Ignored;
use super::namespaces::{Namespaces, joined};
use super::object_text::{ObjectText, list};
use super::reader::Reader;

/// The tools of a request.
#[derive(Debug, Default)]
pub(super) struct Tools {
    /// The client's own tools.
    pub(super) own: Vec<Tool>,
    /// The names of server tools.
    pub(super) server: Vec<String>,
    /// The tools in namespaces.
    pub(super) namespaces: Namespaces,
    /// The tools as the response repeats them.
    pub(super) echo: Vec<String>,
}

impl Tools {
    /// Reads the parameter `tools`.
    ///
    /// # Errors
    /// 400 that names the invalid tool, or a hosted tool that does not exist here.
    pub(super) fn read(tools: &[Json], ignored: &mut Ignored) -> Result<Self, ApiError> {
        let mut all = Self::default();
        for (at, tool) in tools.iter().enumerate() {
            all.add(Reader::new(tool, format!("tools[{at}]"))?, tool, ignored)?;
        }
        Ok(all)
    }

    fn add(&mut self, mut tool: Reader, raw: &Json, ignored: &mut Ignored) -> Result<(), ApiError> {
        let kind: String = tool.require("type")?;
        match kind.as_str() {
            "function" => {
                let function = function(&mut tool)?;
                self.echo.push(echo_of(&function));
                let cache_control = tool.take("cache_control")?;
                self.own.push(Tool {
                    cache_control,
                    ..Tool::from(function)
                });
            }
            "custom" => {
                let custom = custom(&mut tool)?;
                self.echo.push(raw.as_str().to_owned());
                self.own.push(Tool {
                    r#type: ToolKind::Custom,
                    function: None,
                    custom,
                    cache_control: tool.take("cache_control")?,
                });
            }
            "namespace" => {
                self.echo.push(raw.as_str().to_owned());
                self.add_namespace(&mut tool, ignored)?;
            }
            name if check_server_tools(&[name.to_owned()]).is_ok() => {
                self.echo.push(raw.as_str().to_owned());
                self.server.push(kind);
            }
            name => {
                let reason = format!(
                    "this service has no tool of type `{name}`; send tools of type `function` or \
                     `custom`"
                );
                return Err(tool.unsupported("type", &reason));
            }
        }
        ignore_rest(tool, ignored);
        Ok(())
    }

    /// Adds the functions of a namespace.
    fn add_namespace(&mut self, space: &mut Reader, ignored: &mut Ignored) -> Result<(), ApiError> {
        let namespace: String = space.require("name")?;
        space.take::<Json>("description")?;
        let tools: Vec<Json> = space.require("tools")?;
        for (at, tool) in tools.iter().enumerate() {
            let mut tool = Reader::new(tool, format!("{}[{at}]", space.path_of("tools")))?;
            let kind: String = tool.require("type")?;
            if kind != "function" {
                return Err(tool.unsupported("type", "a namespace holds tools of type `function`"));
            }
            let mut function = function(&mut tool)?;
            function.name = self.namespaces.add(&namespace, function.name);
            self.own.push(Tool::from(function));
            ignore_rest(tool, ignored);
        }
        Ok(())
    }
}

fn function(tool: &mut Reader) -> Result<FunctionTool, ApiError> {
    Ok(FunctionTool {
        name: tool.require("name")?,
        description: tool.take("description")?,
        parameters: tool.take("parameters")?,
        strict: tool.take("strict")?,
        cache_control: None,
    })
}

/// Reports the members of a tool that have no effect. Absent and switched off are the same.
fn ignore_rest(tool: Reader, ignored: &mut Ignored) {
    for (name, value) in &tool.rest(&[]).0 {
        if !matches!(value.as_str(), "null" | "false") {
            ignored.add(format!("tools.{name}"));
        }
    }
}

/// A function as the response repeats it, with the members that clients require.
fn echo_of(function: &FunctionTool) -> String {
    let parameters = function.parameters.as_ref().map_or("null", Json::as_str);
    let strict = function.strict.unwrap_or(false);
    ObjectText::of_type("function")
        .text("name", &function.name)
        .text_or_null("description", function.description.as_deref())
        .raw("parameters", parameters)
        .raw("strict", if strict { "true" } else { "false" })
        .end()
}

/// A custom tool in the shape of chat completions.
fn custom(tool: &mut Reader) -> Result<Option<Json>, ApiError> {
    let mut custom = ObjectText::new().text("name", &tool.require::<String>("name")?);
    if let Some(description) = tool.take::<String>("description")? {
        custom = custom.text("description", &description);
    }
    if let Some(format) = tool.take::<Json>("format")? {
        let mut format = Reader::new(&format, tool.path_of("format"))?;
        let kind: String = format.require("type")?;
        let written = match kind.as_str() {
            "text" => ObjectText::of_type("text"),
            "grammar" => {
                let grammar = ObjectText::new()
                    .text("definition", &format.require::<String>("definition")?)
                    .text("syntax", &format.require::<String>("syntax")?);
                ObjectText::of_type("grammar").raw("grammar", &grammar.end())
            }
            _ => return Err(format.unsupported("type", "expected `text` or `grammar`")),
        };
        custom = custom.raw("format", &written.end());
    }
    Ok(custom.into_json())
}

/// The parameter `tool_choice` in the shape of chat completions.
///
/// # Errors
/// 400 for an invalid choice, and for the choice of a tool that does not exist here.
pub(super) fn choice(choice: &Json) -> Result<Json, ApiError> {
    if choice.as_str().starts_with('"') {
        let mode: String = choice.read().map_err(ApiError::internal)?;
        if ["none", "auto", "required"].contains(&mode.as_str()) {
            return Ok(choice.clone());
        }
    }
    let mut chosen = Reader::new(choice, "tool_choice".to_owned())?;
    let kind: String = chosen.require("type")?;
    let written = match kind.as_str() {
        "function" | "custom" => named(&kind, &mut chosen)?,
        "allowed_tools" => {
            let mode: String = chosen.require("mode")?;
            let tools: Vec<Json> = chosen.require("tools")?;
            let tools = tools.iter().enumerate().map(|(at, tool)| {
                let mut tool = Reader::new(tool, format!("tool_choice.tools[{at}]"))?;
                let kind: String = tool.require("type")?;
                match kind.as_str() {
                    "function" | "custom" => Ok(named(&kind, &mut tool)?.end()),
                    _ => Err(tool.unsupported("type", "expected `function` or `custom`")),
                }
            });
            let tools: Vec<String> = tools.collect::<Result<_, ApiError>>()?;
            let allowed = ObjectText::new().text("mode", &mode).list("tools", &tools);
            ObjectText::of_type("allowed_tools").raw("allowed_tools", &allowed.end())
        }
        _ => {
            let reason = format!("this service has no tool of type `{kind}`");
            return Err(chosen.unsupported("type", &reason));
        }
    };
    let written = written.into_json();
    written.ok_or_else(|| ApiError::internal("a tool choice was not written as JSON"))
}

/// The choice of one tool.
fn named(kind: &str, tool: &mut Reader) -> Result<ObjectText, ApiError> {
    let name: String = tool.require("name")?;
    let name = match tool.take::<String>("namespace")? {
        Some(namespace) => joined(&namespace, &name),
        None => name,
    };
    let name = ObjectText::new().text("name", &name);
    Ok(ObjectText::of_type(kind).raw(kind, &name.end()))
}

/// The parameter `text`.
#[derive(Debug, Default)]
pub(super) struct TextConfig {
    /// The format in the shape of chat completions; `None` for plain text.
    pub(super) format: Option<Json>,
    /// The verbosity.
    pub(super) verbosity: Option<Verbosity>,
    /// The parameter as the response repeats it.
    pub(super) echo: String,
}

impl TextConfig {
    /// Reads the parameter.
    ///
    /// # Errors
    /// 400 that names the invalid member.
    pub(super) fn read(text: Option<&Json>, ignored: &mut Ignored) -> Result<Self, ApiError> {
        let plain = ObjectText::of_type("text").end();
        let (mut format, mut verbosity, mut echo) = (None, None, None);
        if let Some(text) = text {
            let mut text = Reader::new(text, "text".to_owned())?;
            verbosity = text.take::<Verbosity>("verbosity")?;
            echo = text.take::<Json>("format")?;
            if let Some(found) = &echo {
                format = read_format(Reader::new(found, "text.format".to_owned())?)?;
            }
            for (name, _) in &text.rest(&[]).0 {
                ignored.add(format!("text.{name}"));
            }
        }
        let mut config =
            ObjectText::new().raw("format", echo.as_ref().map_or(plain.as_str(), Json::as_str));
        if let Some(verbosity) = verbosity {
            let name = match verbosity {
                Verbosity::Low => "low",
                Verbosity::Medium => "medium",
                Verbosity::High => "high",
            };
            config = config.text("verbosity", name);
        }
        Ok(Self {
            format,
            verbosity,
            echo: config.end(),
        })
    }
}

fn read_format(mut format: Reader) -> Result<Option<Json>, ApiError> {
    let kind: String = format.require("type")?;
    match kind.as_str() {
        "text" => Ok(None),
        "json_object" => Ok(ObjectText::of_type("json_object").into_json()),
        "json_schema" => {
            let mut schema = ObjectText::new().text("name", &format.require::<String>("name")?);
            schema = schema.raw("schema", format.require::<Json>("schema")?.as_str());
            for name in ["description", "strict"] {
                if let Some(value) = format.take::<Json>(name)? {
                    schema = schema.raw(name, value.as_str());
                }
            }
            let written = ObjectText::of_type("json_schema").raw("json_schema", &schema.end());
            Ok(written.into_json())
        }
        _ => Err(format.unsupported("type", "expected `text`, `json_object` or `json_schema`")),
    }
}

/// The tools as an array.
pub(super) fn echo(tools: &Tools) -> String {
    list(&tools.echo)
}
