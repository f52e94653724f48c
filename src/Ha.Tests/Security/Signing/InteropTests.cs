using System.Diagnostics;
using System.Text;
using System.Text.Json.Nodes;
using Ha.Heartbeat;
using Ha.Security;
using Ha.Tests.Heartbeat;
using Ha.Tests.Security.Signing.Keys;

namespace Ha.Tests.Security.Signing;

/// <summary>
/// Against http-message-signatures, an independent implementation of RFC 9421 in JavaScript: what one side signs, the
/// other verifies, requests and replies bound to them.
/// </summary>
public abstract class InteropTests : IDisposable
{
    private static readonly byte[] _requestBody = BeatJson.Serialize(Beats.Request());
    private static readonly byte[] _replyBody = BeatJson.Serialize(Beats.Reply());
    private readonly HaKey _key;
    private readonly KeyRing _ring;
    private readonly (string Private, string Public) _theirs;
    private readonly SignatureHeaders _request;
    private readonly Lazy<Process> _node = new(Start);

    /// <param name="key">Signs and verifies here.</param>
    /// <param name="theirs">The same key as the library takes it.</param>
    private protected InteropTests(HaKey key, (string Private, string Public) theirs)
    {
        _key = key;
        _ring = KeyConformance.Ring(key);
        _theirs = theirs;
        _request = HeartbeatSignature.SignRequest(key, _requestBody, 1_763_700_001);
    }

    public void Dispose()
    {
        if (_node.IsValueCreated)
        {
            _node.Value.Kill();
            _node.Value.Dispose();
        }

        GC.SuppressFinalize(this);
    }

    [FactIfNode]
    public void Our_request_is_valid_there_and_no_longer_after_any_change()
    {
        Assert.True(IsValid(Task("verifyRequest", _requestBody, _request)));
        Assert.False(IsValid(Task("verifyRequest", _replyBody, _request)));
        Assert.False(IsValid(Task("verifyRequest", _requestBody, _request with { Signature = Forge(_request.Signature!) })));

        var elsewhere = Task("verifyRequest", _requestBody, _request);
        elsewhere["url"] = "http://node-1:8080/_ha/step-down";
        Assert.False(IsValid(elsewhere));
    }

    [FactIfNode]
    public void Their_request_is_valid_here_and_no_longer_after_any_change()
    {
        var theirs = Headers(Ask(Task("signRequest", _requestBody)));

        Assert.Equal(SignatureVerdict.Valid, HeartbeatSignature.VerifyRequest(_ring, theirs, _requestBody));
        Assert.Equal(SignatureVerdict.WrongDigest, HeartbeatSignature.VerifyRequest(_ring, theirs, _replyBody));
        Assert.Equal(
            SignatureVerdict.BadSignature,
            HeartbeatSignature.VerifyRequest(_ring, theirs with { Signature = Forge(theirs.Signature!) }, _requestBody));
        Assert.Equal(SignatureVerdict.UnknownKey, HeartbeatSignature.VerifyRequest(Rings.New, theirs, _requestBody));
    }

    [FactIfNode]
    public void Our_reply_is_valid_there_for_its_own_request_and_status_only()
    {
        var reply = HeartbeatSignature.SignReply(_key, 409, _replyBody, _request, 1_763_700_001);
        var other = HeartbeatSignature.SignRequest(_key, _requestBody, 1_763_700_002);

        Assert.True(IsValid(Reply("verifyReply", 409, _request, reply)));
        Assert.False(IsValid(Reply("verifyReply", 200, _request, reply)));
        Assert.False(IsValid(Reply("verifyReply", 409, other, reply)));
    }

    [FactIfNode]
    public void Their_reply_is_valid_here_for_its_own_request_and_status_only()
    {
        var theirs = Headers(Ask(Reply("signReply", 409, _request)));
        var other = HeartbeatSignature.SignRequest(_key, _requestBody, 1_763_700_002);

        Assert.Equal(SignatureVerdict.Valid, HeartbeatSignature.VerifyReply(_ring, theirs, 409, _replyBody, _request, out _));
        Assert.Equal(SignatureVerdict.BadSignature, HeartbeatSignature.VerifyReply(_ring, theirs, 200, _replyBody, _request, out _));
        Assert.Equal(SignatureVerdict.BadSignature, HeartbeatSignature.VerifyReply(_ring, theirs, 409, _replyBody, other, out _));
    }

    private static Process Start() => Process.Start(new ProcessStartInfo("node", "interop.js")
    {
        WorkingDirectory = FactIfNodeAttribute.Folder,
        RedirectStandardInput = true,
        UseShellExecute = false,
        RedirectStandardOutput = true,
        StandardInputEncoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false),
    })!;

    private bool IsValid(JsonObject task) => Ask(task)["valid"]!.GetValue<bool>();

    private JsonObject Ask(JsonObject task)
    {
        _node.Value.StandardInput.WriteLine(task.ToJsonString());
        _node.Value.StandardInput.Flush();
        var answer = _node.Value.StandardOutput.ReadLine();
        return JsonNode.Parse(answer ?? throw new InvalidOperationException("Node.js ended."))!.AsObject();
    }

    private JsonObject Task(string action, byte[] body, SignatureHeaders headers = default) => new()
    {
        ["action"] = action,
        ["alg"] = _key.Algorithm,
        ["signWith"] = _theirs.Private,
        ["verifyWith"] = _theirs.Public,
        ["keyid"] = _key.KeyId,
        ["url"] = "http://node-1:8080/_ha/heartbeat",
        ["body"] = Encoding.UTF8.GetString(body),
        ["headers"] = Json(headers),
    };

    private JsonObject Reply(string action, int status, SignatureHeaders request, SignatureHeaders reply = default)
    {
        var task = Task(action, _replyBody, reply);
        task["status"] = status;
        task["request"] = new JsonObject
        {
            ["method"] = "POST",
            ["url"] = "http://node-1:8080/_ha/heartbeat",
            ["headers"] = Json(request),
        };
        return task;
    }

    private static JsonObject Json(SignatureHeaders headers) => new()
    {
        ["content-digest"] = headers.ContentDigest,
        ["signature-input"] = headers.SignatureInput,
        ["signature"] = headers.Signature,
    };

    private static SignatureHeaders Headers(JsonObject headers) => new(
        headers["content-digest"]!.GetValue<string>(),
        headers["Signature-Input"]!.GetValue<string>(),
        headers["Signature"]!.GetValue<string>());

    private static string Forge(string signature) => $"ha=:{(signature[4] == 'A' ? 'B' : 'A')}{signature[5..]}";
}

public sealed class HmacInteropTests() : InteropTests(new HmacKey(Rings.OldSecret), (Rings.OldSecret, Rings.OldSecret));

public sealed class Ed25519InteropTests() : InteropTests(
    Ed25519Key.ReadPrivate(KeyText.Decode(NodeKeys.PrivateOf("node-1"))!)!,
    (NodeKeys.PrivateOf("node-1"), $"-----BEGIN PUBLIC KEY-----\n{NodeKeys.EntryOf("node-1")[7..]}\n-----END PUBLIC KEY-----\n"));
