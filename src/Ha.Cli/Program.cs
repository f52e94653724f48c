using Ha.Cli;
using Microsoft.Extensions.Configuration;

return await HaCommand.RunAsync(args, new ConfigurationBuilder().AddEnvironmentVariables().Build());
