using Ha.Tests.Support;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;
using YamlDotNet.Serialization;

namespace Ha.Tests.Deployment;

/// <summary>A place in a YAML file, which may be empty; every scalar is text.</summary>
internal sealed class Yaml
{
    private readonly object? _value;

    private Yaml(object? value) => _value = value;

    public string? Text => _value as string;

    public IEnumerable<Yaml> Items => _value is List<object> items ? items.Select(item => new Yaml(item)) : [];

    public IEnumerable<(string Key, Yaml Value)> Pairs =>
        _value is Dictionary<object, object> map ? map.Select(pair => ((string)pair.Key, new Yaml(pair.Value))) : [];

    /// <summary>One name after the other: <c>spec/template</c>.</summary>
    public Yaml this[string path] => path.Split('/').Aggregate(this, (at, key) =>
        new Yaml(at._value is Dictionary<object, object> map ? map.GetValueOrDefault(key) : null));

    public static Yaml Single(string path) => Assert.Single(All(path));

    public static IReadOnlyList<Yaml> All(string path)
    {
        var parser = new MergingParser(new Parser(new StringReader(Repository.Read(path))));
        var deserializer = new DeserializerBuilder().Build();
        var documents = new List<Yaml>();
        parser.Consume<StreamStart>();
        while (!parser.Accept<StreamEnd>(out _))
        {
            documents.Add(new Yaml(deserializer.Deserialize<object>(parser)));
        }

        return documents;
    }
}
