using System.CommandLine;
using Ha.Cli.Cluster;
using Ha.Cli.Keys;

// A run that fails says 1, a command line that is wrong says 2.
const int WrongUsage = 2;

var root = new RootCommand("Tools for applications with Ha.") { ClusterCommand.New(), KeysCommand.New() };
var parsed = root.Parse(args);
// Signals are handled in ClusterRun, which has children to stop first.
var code = await parsed.InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = null });
return parsed.Errors.Count > 0 ? WrongUsage : code;
