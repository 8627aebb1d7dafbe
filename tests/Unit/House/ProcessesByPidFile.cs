using Xunit;

namespace Hotpatch.Tests.Unit.House;

public sealed class ProcessesByPidFile
{
    [Fact]
    public void Are_stopped_by_the_name_they_were_started_under()
    {
        const string script = """
            launch sleeper "$STATE/log/sleeper.log" sleep 60
            running sleeper && echo up
            halt sleeper
            running sleeper || echo down
            ls "$STATE/run"
            """;

        Assert.Equal("up\ndown", Bash.RunWithLibrary(script));
    }

    [Fact]
    public void Are_killed_when_they_ignore_the_request()
    {
        const string script = """
            launch deaf "$STATE/log/deaf.log" bash -c 'trap "" TERM; touch "$0"; while :; do sleep 0.1; done' "$STATE/ready"
            wait_until 10 test -e "$STATE/ready"
            halt deaf TERM 1
            running deaf || echo down
            """;

        Assert.Equal("down", Bash.RunWithLibrary(script));
    }

    [Fact]
    public void Are_left_alone_when_their_pid_belongs_to_somebody_else_by_now()
    {
        const string script = """
            sleep 60 & stranger=$!
            echo "$stranger 1" > "$STATE/run/gone.pid"
            running gone || echo "not ours"
            halt gone
            kill -0 "$stranger" && echo "left alone"
            kill "$stranger"
            """;

        Assert.Equal("not ours\nleft alone", Bash.RunWithLibrary(script));
    }

    [Fact]
    public void Listen_on_ports_that_nobody_else_had_and_that_stay_theirs()
    {
        const string script = """
            ports=$(free_ports 50 | sort -u)
            [ "$(wc -l <<< "$ports")" = 50 ]
            for port in $ports; do ! port_open "$port"; done
            [ "$(port SOME_NAME)" = "$(port SOME_NAME)" ] && [ "$(port SOME_NAME)" != "$(port OTHER_NAME)" ] && echo kept
            """;

        Assert.Equal("kept", Bash.RunWithLibrary(script));
    }
}
