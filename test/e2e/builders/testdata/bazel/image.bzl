def _layout(ctx):
    out = ctx.actions.declare_directory(ctx.label.name)
    ctx.actions.run_shell(
        command = "sh \"$@\"",
        arguments = [ctx.file.script.path, ctx.attr.arch, ctx.attr.arch, ctx.file.src.path, "layout", out.path],
        inputs = [ctx.file.script, ctx.file.src],
        outputs = [out],
        use_default_shell_env = True,
    )
    return DefaultInfo(files = depset([out]))

layout = rule(
    implementation = _layout,
    attrs = {
        "src": attr.label(allow_single_file = True),
        "script": attr.label(allow_single_file = True),
        "arch": attr.string(),
    },
)
