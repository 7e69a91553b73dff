"""The python-socketio client at the demo.

python_demo.py visit URL TRANSPORT PING_LIMIT
    connects over TRANSPORT ("polling" or "websocket") only, waits for its first random string, pings up to the limit and
    once more, and waits to be thrown out
python_demo.py refused URL TRANSPORT
    tries to connect and expects to be refused

Either prints what happened as one JSON object.
"""

import asyncio
import json
import sys

import socketio

NAMESPACE = '/demo'
TIMEOUT = 30


async def visit(url, transport, limit):
    client = socketio.AsyncClient(reconnection=False)
    events = []
    random_string = asyncio.Event()
    gone = asyncio.Event()
    late = []

    def note(event, *args):
        events.append([event, *args])

    @client.on('connect', namespace=NAMESPACE)
    async def on_connect():
        note('connect')

    @client.on('disconnect', namespace=NAMESPACE)
    async def on_disconnect():
        note('disconnect')
        gone.set()

    @client.on('connectionStatus', namespace=NAMESPACE)
    async def on_status(status):
        note('connectionStatus', status)

    @client.on('randomString', namespace=NAMESPACE)
    async def on_random(payload):
        if not random_string.is_set():
            note('randomString', payload)
            random_string.set()

    @client.on('error', namespace=NAMESPACE)
    async def on_error(payload):
        note('error', payload)

    await client.connect(url, namespaces=[NAMESPACE], transports=[transport], wait_timeout=TIMEOUT)
    travelled = client.transport()
    await asyncio.wait_for(random_string.wait(), TIMEOUT)
    acks = [await client.call('ping', namespace=NAMESPACE, timeout=TIMEOUT) for _ in range(limit)]
    await client.emit('ping', namespace=NAMESPACE, callback=late.append)
    await asyncio.wait_for(gone.wait(), TIMEOUT)
    await client.disconnect()
    return {'transport': travelled, 'events': events, 'acks': acks, 'late': late}


async def refused(url, transport):
    client = socketio.AsyncClient(reconnection=False)
    messages = []
    outcome = asyncio.Event()

    @client.on('connect', namespace=NAMESPACE)
    async def on_connect():
        outcome.set()

    @client.on('connect_error', namespace=NAMESPACE)
    async def on_connect_error(data):
        messages.append(data)
        outcome.set()

    # Waiting inside connect() would go on for its whole time-out after a refusal.
    await client.connect(url, namespaces=[NAMESPACE], transports=[transport], wait=False)
    await asyncio.wait_for(outcome.wait(), TIMEOUT)
    await client.disconnect()
    return {'refused': bool(messages), 'messages': messages}


async def main():
    what, url, transport, *rest = sys.argv[1:]
    result = await (visit(url, transport, int(rest[0])) if what == 'visit' else refused(url, transport))
    print(json.dumps(result))


asyncio.run(main())
