using Ha.EntityFrameworkCore.Fencing;
using Ha.EntityFrameworkCore.Idempotency;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Metadata.Conventions;
using Microsoft.EntityFrameworkCore.Metadata.Conventions.Infrastructure;

namespace Ha.EntityFrameworkCore.Model;

/// <summary>Adds the fence's table, and the answers', to the model before other conventions finish it, and after the application's own code.</summary>
internal sealed class FenceTablePlugin(IDbContextOptions options) : IConventionSetPlugin
{
    public ConventionSet ModifyConventions(ConventionSet conventionSet)
    {
        if (options.FindExtension<FenceExtension>() is { } extension)
        {
            conventionSet.ModelFinalizingConventions.Insert(0, new FenceTableConvention(extension.Shape));
            if (extension.Shape.AnswersTable is { } answers)
            {
                conventionSet.ModelFinalizingConventions.Insert(0, new AnswersConvention(answers, extension.Shape));
            }
        }

        return conventionSet;
    }
}
