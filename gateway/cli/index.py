"""`packstone rebuild-index`: make the index anew, with the node stopped."""

from gateway.cli.options import ConfigOption, DataOption, JsonOption


def rebuild_index(data: DataOption = None, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Make the index of DIR anew from journals and segments; up to m drives of a pool may be missing.

    The node must be stopped. `serve` does the same by itself when the index won't open.
    """
    import packstone_engine

    from appliance.configuration_sources import load
    from appliance.data_lock import DataLock
    from appliance.engine import engine_settings, operator_errors
    from appliance.quantity import format_size
    from gateway.cli.output import print_line, progress

    configuration = load(data, config)
    with DataLock(configuration.data), progress() as bar:
        task = bar.add_task("segments", total=None)

        def advance(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        with operator_errors():
            report = packstone_engine.rebuild_index(engine_settings(configuration), advance)
    if as_json:
        print_line(f'{{"segments": {report.segments}, "objects": {report.objects}, "bytes": {report.bytes}}}')
    else:
        print_line(f"{report.objects} objects, {format_size(report.bytes)}, found in {report.segments} segments")
