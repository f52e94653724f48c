using System.Buffers;
using System.Diagnostics;
using System.Net;
using Microsoft.AspNetCore.Http;
using Yarp.ReverseProxy.Forwarder;

namespace Ha.Benchmarks.Load;

/// <summary>Debian's nginx and HAProxy, and YARP, configured as a sensible operator would for this one job.</summary>
internal static class Neighbours
{
    /// <summary>YARP's direct forwarder, with the client that its documentation asks for and the headers that Ha adds.</summary>
    public static RequestDelegate Yarp(string leader, IHttpForwarder forwarder)
    {
        var client = new HttpMessageInvoker(new SocketsHttpHandler
        {
            UseProxy = false,
            AllowAutoRedirect = false,
            AutomaticDecompression = DecompressionMethods.None,
            UseCookies = false,
            EnableMultipleHttp2Connections = true,
            ActivityHeadersPropagator = new ReverseProxyPropagator(DistributedContextPropagator.Current),
            ConnectTimeout = TimeSpan.FromSeconds(15),
        });
        return async context =>
        {
            var error = await forwarder.SendAsync(context, leader, client, new ForwarderRequestConfig { Version = HttpVersion.Version11 }, static (from, to) =>
            {
                to.Headers.Host = from.Request.Host.Value;
                to.Headers.TryAddWithoutValidation("X-Forwarded-For", from.Connection.RemoteIpAddress?.ToString());
                to.Headers.TryAddWithoutValidation("X-Forwarded-Proto", from.Request.Scheme);
                to.Headers.TryAddWithoutValidation("X-Forwarded-Host", from.Request.Host.Value);
                return ValueTask.CompletedTask;
            });
            if (error != ForwarderError.None)
            {
                throw new InvalidOperationException($"YARP: {error}");
            }
        };
    }

    /// <summary>
    /// No proxy, but what one made of Kestrel and <c>HttpClient</c> cannot do without: a body in one piece each way, and no header
    /// beyond its framing.
    /// </summary>
    public static RequestDelegate Least(string leader)
    {
        var client = new HttpMessageInvoker(new SocketsHttpHandler { UseProxy = false, UseCookies = false, ActivityHeadersPropagator = null });
        var url = new Uri(leader);
        return async context =>
        {
            var reader = context.Request.BodyReader;
            var body = await reader.ReadAtLeastAsync((int)(context.Request.ContentLength ?? 0));
            using var content = new ReadOnlyMemoryContent(body.Buffer.IsSingleSegment ? body.Buffer.First : body.Buffer.ToArray());
            using var request = new HttpRequestMessage(HttpMethod.Post, url) { Content = content };
            using var answer = await client.SendAsync(request, CancellationToken.None);
            reader.AdvanceTo(body.Buffer.End);
            context.Response.StatusCode = (int)answer.StatusCode;
            context.Response.ContentLength = answer.Content.Headers.ContentLength;
            await answer.Content.CopyToAsync(context.Response.Body);
        };
    }

    public static IReadOnlyList<string> Nginx(int port, int leader)
    {
        var folder = Directory.CreateTempSubdirectory("ha-nginx-").FullName;
        var file = Path.Combine(folder, "nginx.conf");
        File.WriteAllText(file, $$"""
            worker_processes auto;
            daemon off;
            pid {{folder}}/pid;
            error_log {{folder}}/error.log;
            events { worker_connections 1024; }
            http {
              access_log off;
              client_body_temp_path {{folder}}/body;
              proxy_temp_path {{folder}}/proxy;
              fastcgi_temp_path {{folder}}/f; uwsgi_temp_path {{folder}}/u; scgi_temp_path {{folder}}/s;
              keepalive_requests 1000000000;
              upstream leader { server 127.0.0.1:{{leader}}; keepalive 64; keepalive_requests 1000000000; }
              server {
                listen 127.0.0.1:{{port}};
                client_max_body_size 0;
                location / {
                  proxy_pass http://leader;
                  proxy_http_version 1.1;
                  proxy_set_header Connection "";
                  proxy_set_header Host $http_host;
                  proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
                  proxy_set_header X-Forwarded-Proto $scheme;
                  proxy_set_header X-Forwarded-Host $http_host;
                  proxy_request_buffering off;
                  proxy_buffering off;
                }
              }
            }
            """);
        return ["nginx", "-c", file, "-p", folder];
    }

    public static IReadOnlyList<string> HaProxy(int port, int leader)
    {
        var folder = Directory.CreateTempSubdirectory("ha-haproxy-").FullName;
        var file = Path.Combine(folder, "haproxy.cfg");
        File.WriteAllText(file, $"""
            global
              nbthread 2
              maxconn 1000
            defaults
              mode http
              timeout connect 1s
              timeout client 30s
              timeout server 30s
              http-reuse always
              option forwardfor
            frontend clients
              bind 127.0.0.1:{port}
              default_backend leader
            backend leader
              http-request set-header X-Forwarded-Proto http
              server one 127.0.0.1:{leader}

            """);
        return ["haproxy", "-db", "-f", file];
    }
}
