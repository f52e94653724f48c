using Ha.Chaos.Network;

namespace Ha.Chaos.Nodes;

/// <summary>A file system of its own in memory, which can run full without harm to the machine.</summary>
internal sealed class SmallDisk : IAsyncDisposable
{
    private const string Prefix = "ha-chaos-disk-";
    private const int Megabytes = 512;

    private SmallDisk(string path) => Path = path;

    public string Path { get; }

    private string Filler => System.IO.Path.Combine(Path, "filler");

    /// <param name="use">Tells the disks of one run apart.</param>
    public static async Task<SmallDisk> MountAsync(string use)
    {
        var path = System.IO.Path.Combine(System.IO.Path.GetTempPath(), $"{Prefix}{Environment.ProcessId}-{use}");
        Directory.CreateDirectory(path);
        await Tool.RunAsync("mount", "-t", "tmpfs", "-o", $"size={Megabytes}m,mode=755", "ha-chaos", path);
        return new SmallDisk(path);
    }

    /// <summary>Unmounts and removes the disks of runs that were killed.</summary>
    public static async Task RemoveLeftoversAsync()
    {
        foreach (var path in Directory.GetDirectories(System.IO.Path.GetTempPath(), Prefix + "*"))
        {
            if (int.TryParse(System.IO.Path.GetFileName(path)[Prefix.Length..].Split('-')[0], null, out var pid) && Runs.IsDead(pid))
            {
                await RemoveAsync(path);
            }
        }
    }

    /// <summary>Takes all the room there is; returns how many bytes that was.</summary>
    public long Fill()
    {
        var block = new byte[1 << 16];
        using var file = new FileStream(Filler, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 0);
        foreach (var size in (ReadOnlySpan<int>)[block.Length, 4096, 1])
        {
            try
            {
                while (true)
                {
                    file.Write(block, 0, size);
                }
            }
            catch (IOException)
            {
                // Full for blocks of this size.
            }
        }

        return file.Length;
    }

    public void Free() => File.Delete(Filler);

    public async ValueTask DisposeAsync() => await RemoveAsync(Path);

    private static async Task RemoveAsync(string path)
    {
        await Tool.TryAsync("umount", "--lazy", path);
        Directory.Delete(path);
    }
}
